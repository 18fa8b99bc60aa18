//go:build tools

// Package tools names the command of Prometheus that the tests run, so that go.mod pins it.
package tools

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
)
