//go:build tools

// Package tools names the command of CoreDNS that the tests run, so that go.mod pins it.
package tools

import (
	_ "github.com/coredns/coredns"
)
