package kafkatest

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestFake(t *testing.T) {
	c := Fake(t)
	exercise(t, c.Client)
	exerciseNewer(t, c.Client)
}

// The fake can be scripted to answer wrongly, and accepts kfake's own options.
func TestFakeFault(t *testing.T) {
	c := Fake(t, kfake.NumBrokers(2))
	if got := len(c.Bootstrap()); got != 2 {
		t.Errorf("%d brokers, want 2", got)
	}
	topic := c.NewTopic(t, 1)
	asked := make(chan struct{}, 1)
	c.Kfake.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		asked <- struct{}{}
		return nil, nil, false
	})
	c.Produce(t, &kgo.Record{Topic: topic})
	<-asked
}
