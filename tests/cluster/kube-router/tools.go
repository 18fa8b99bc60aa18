//go:build tools

// Package tools names the command of kube-router that the tests run, so that go.mod pins it.
package tools

import (
	_ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
)
