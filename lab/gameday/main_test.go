package gameday_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/havoqlab/havoq/lab/cluster"
)

func TestMain(m *testing.M) {
	ownApp()       // or the application of its tests
	cluster.Main() // this binary is the nodes of the clusters that its tests start, too
	goleak.VerifyTestMain(m)
}
