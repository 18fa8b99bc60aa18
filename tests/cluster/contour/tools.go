//go:build tools

// Package tools names the command of Contour that the tests run, so that go.mod pins it.
package tools

import (
	_ "github.com/projectcontour/contour/cmd/contour"
)
