package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/esm-go/esm/manager/store/memory"
	"github.com/esm-go/esm/manager/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Opened { return storetest.Opened{Store: memory.New()} })
}
