//go:build !linux && !darwin

package cluster_test

import (
	"strings"
	"testing"

	"github.com/havoqlab/havoq/lab/cluster"
)

func TestUnsupported(t *testing.T) {
	_, err := cluster.Start(t.Context(), cluster.Config{Dir: t.TempDir()})
	if err == nil || !strings.Contains(err.Error(), "not supported on this system") {
		t.Errorf("error %v", err)
	}
}
