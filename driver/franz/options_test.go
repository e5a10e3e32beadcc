package franz

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"github.com/esm-go/esm/driver"
)

func TestOwnedOptionsAreRefused(t *testing.T) {
	list := func(context.Context, *kgo.Client, map[string][]int32) {}
	given := map[string]kgo.Opt{
		"SeedBrokers":            kgo.SeedBrokers("a:1"),
		"ClientID":               kgo.ClientID("x"),
		"ConsumerGroup":          kgo.ConsumerGroup("x"),
		"InstanceID":             kgo.InstanceID("x"),
		"Rack":                   kgo.Rack("x"),
		"ConsumeTopics":          kgo.ConsumeTopics("x"),
		"ConsumeRegex":           kgo.ConsumeRegex(),
		"FetchIsolationLevel":    kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		"SessionTimeout":         kgo.SessionTimeout(time.Second),
		"HeartbeatInterval":      kgo.HeartbeatInterval(time.Second),
		"RebalanceTimeout":       kgo.RebalanceTimeout(time.Second),
		"MetadataMaxAge":         kgo.MetadataMaxAge(time.Second),
		"FetchMaxWait":           kgo.FetchMaxWait(time.Second),
		"FetchMinBytes":          kgo.FetchMinBytes(1),
		"FetchMaxBytes":          kgo.FetchMaxBytes(1),
		"FetchMaxPartitionBytes": kgo.FetchMaxPartitionBytes(1),
		"Dialer":                 kgo.Dialer((&net.Dialer{}).DialContext),
		"SASL":                   kgo.SASL(plain.Auth{}.AsMechanism()),
		"DialTLS":                kgo.DialTLS(),
		"DialTLSConfig":          kgo.DialTLSConfig(new(tls.Config)),
		"WithLogger":             kgo.WithLogger(newLogger(slog.Default())),

		"ConsumePartitions":           kgo.ConsumePartitions(nil),
		"ConsumeStartOffset":          kgo.ConsumeStartOffset(kgo.NewOffset()),
		"ConsumeResetOffset":          kgo.ConsumeResetOffset(kgo.NewOffset()),
		"DisableAutoCommit":           kgo.DisableAutoCommit(),
		"GreedyAutoCommit":            kgo.GreedyAutoCommit(),
		"AutoCommitInterval":          kgo.AutoCommitInterval(time.Second),
		"AutoCommitMarks":             kgo.AutoCommitMarks(),
		"AutoCommitCallback":          kgo.AutoCommitCallback(nil),
		"OnPartitionsAssigned":        kgo.OnPartitionsAssigned(list),
		"OnPartitionsRevoked":         kgo.OnPartitionsRevoked(list),
		"OnPartitionsLost":            kgo.OnPartitionsLost(list),
		"OnPartitionsCallbackBlocked": kgo.OnPartitionsCallbackBlocked(nil),
		"OnOffsetsFetched":            kgo.OnOffsetsFetched(func(context.Context, *kgo.Client, *kmsg.OffsetFetchResponse) error { return nil }),
		"AdjustFetchOffsetsFn":        kgo.AdjustFetchOffsetsFn(nil),
		"BlockRebalanceOnPoll":        kgo.BlockRebalanceOnPoll(),
		"KeepControlRecords":          kgo.KeepControlRecords(),
		"KeepRetryableFetchErrors":    kgo.KeepRetryableFetchErrors(),
		"RequireStableFetchOffsets":   kgo.RequireStableFetchOffsets(), //nolint:staticcheck // deprecated, and refused as long as it exists
		"GroupProtocol":               kgo.GroupProtocol("x"),
		"ServerSideBalancer":          kgo.ServerSideBalancer(),
		"ShareGroup":                  kgo.ShareGroup("x"),
		"ShareMaxRecords":             kgo.ShareMaxRecords(1),
		"ShareMaxRecordsStrict":       kgo.ShareMaxRecordsStrict(),
		"ShareAckCallback":            kgo.ShareAckCallback(nil),
		"TransactionalID":             kgo.TransactionalID("x"),
		"WithContext":                 kgo.WithContext(t.Context()),
		"WithPools":                   kgo.WithPools(),
	}
	for name := range owned {
		opt, ok := given[name]
		if !ok {
			t.Errorf("%s is owned and not tried", name)
			continue
		}
		_, err := Driver(WithOpts(kgo.RequestRetries(3), opt)).Open(config([]string{"localhost:1"}, "g", "t"), &member{})
		e, ok := errors.AsType[*driver.Error](err)
		if !ok || e.Kind != driver.KindInvalidConfig || !strings.Contains(err.Error(), "kgo."+name+" ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestOtherOptionsAreTaken(t *testing.T) {
	m := join(t, config([]string{"localhost:1"}, "g", "t"), nil,
		WithOpts(kgo.RequestRetries(7), kgo.Balancers(kgo.RangeBalancer())), WithOpts(kgo.ConnIdleTimeout(time.Minute)))
	if n := m.consumer.client.OptValue(kgo.RequestRetries); n != int64(7) {
		t.Errorf("retries %v", n)
	}
	if d := m.consumer.client.OptValue(kgo.ConnIdleTimeout); d != time.Minute {
		t.Errorf("idle timeout %v", d)
	}
	if b := m.consumer.client.OptValue(kgo.Balancers).([]kgo.GroupBalancer); len(b) != 1 || b[0].ProtocolName() != "range" {
		t.Errorf("balancers %v", b)
	}
}

func TestConfigRefused(t *testing.T) {
	for name, change := range map[string]func(*driver.Config){
		"a bad pattern":                     func(c *driver.Config) { c.Topics = []string{"^("} },
		"no servers":                        func(c *driver.Config) { c.BootstrapServers = nil },
		"a heartbeat longer than a session": func(c *driver.Config) { c.HeartbeatInterval = time.Minute },
	} {
		cfg := config([]string{"localhost:1"}, "g", "t")
		change(&cfg)
		_, err := Driver().Open(cfg, &member{})
		if e, ok := errors.AsType[*driver.Error](err); !ok || e.Kind != driver.KindInvalidConfig {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUnreachable(t *testing.T) {
	m := join(t, config([]string{"localhost:1"}, "g", "t"), nil)
	m.until(t, "reported", func() bool { return m.has(driver.KindUnavailable) == 1 })
}

func TestFetchSizes(t *testing.T) {
	for _, test := range []struct {
		max, per, buffer, brokers int
		total, partition          int32
	}{
		{8 << 20, 1 << 20, 64 << 20, 1, 8 << 20, 1 << 20},
		{8 << 20, 1 << 20, 64 << 20, 2, 4 << 20, 1 << 20},
		{8 << 20, 1 << 20, 64 << 20, 16, 512 << 10, 512 << 10},
		{8 << 20, 16 << 20, 0, 8, 8 << 20, 8 << 20},
		{8 << 20, 1 << 20, 1 << 20, 100, 64 << 10, 64 << 10},
		{0, 0, 0, 0, 50 << 20, 1 << 20},
	} {
		c := consumer{cfg: driver.Config{FetchMaxBytes: test.max, FetchMaxPartitionBytes: test.per, BufferBytes: test.buffer}}
		if total, partition := c.fetchSizes(test.brokers); total != test.total || partition != test.partition {
			t.Errorf("%+v: got %d and %d", test, total, partition)
		}
	}
}
