package bubble_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/havoqlab/havoq/internal/bubble"
)

func TestSleepPassesTheTimeOfABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		bubble.Sleep(time.Hour)
		if passed := time.Since(begun); passed != time.Hour {
			t.Errorf("%s passed", passed)
		}
	})
}

func TestSleepRefusesRealTime(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it slept")
		}
	}()
	bubble.Sleep(time.Nanosecond)
}
