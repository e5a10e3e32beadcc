package kafkatest

import (
	"testing"

	"go.uber.org/goleak"
)

var brokers Pool

func TestMain(m *testing.M) { goleak.VerifyTestMain(brokers.Main(m)) }
