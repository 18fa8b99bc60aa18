//go:build tools

// Package tools names the command of kind that the tests run, so that go.mod pins it.
package tools

import (
	_ "sigs.k8s.io/kind"
)
