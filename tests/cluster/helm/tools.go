//go:build tools

// Package tools names the command of Helm that the tests run, so that go.mod pins it.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
)
