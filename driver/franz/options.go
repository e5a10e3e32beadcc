package franz

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
)

// owned names the kgo options that users may not give, with the field to set instead.
var owned = map[string]string{
	"SeedBrokers":            "BootstrapServers",
	"ClientID":               "ClientID",
	"SASL":                   "Credentials",
	"DialTLSConfig":          "Credentials",
	"DialTLS":                "Credentials",
	"ConsumerGroup":          "GroupID",
	"InstanceID":             "InstanceID",
	"Rack":                   "Rack",
	"ConsumeTopics":          "Topics",
	"ConsumeRegex":           "Topics, a name that begins with ^ is a pattern",
	"FetchIsolationLevel":    "ReadUncommitted",
	"SessionTimeout":         "SessionTimeout",
	"HeartbeatInterval":      "HeartbeatInterval",
	"RebalanceTimeout":       "MaxPollInterval",
	"MetadataMaxAge":         "MetadataMaxAge",
	"FetchMaxWait":           "FetchMaxWait",
	"FetchMinBytes":          "FetchMinBytes",
	"FetchMaxBytes":          "FetchMaxBytes",
	"FetchMaxPartitionBytes": "FetchMaxPartitionBytes",
	"Dialer":                 "Dialer",
	"WithLogger":             "Logger",

	"ConsumePartitions":           "",
	"ConsumeStartOffset":          "",
	"ConsumeResetOffset":          "",
	"DisableAutoCommit":           "",
	"GreedyAutoCommit":            "",
	"AutoCommitInterval":          "",
	"AutoCommitMarks":             "",
	"AutoCommitCallback":          "",
	"OnPartitionsAssigned":        "",
	"OnPartitionsRevoked":         "",
	"OnPartitionsLost":            "",
	"OnPartitionsCallbackBlocked": "",
	"OnOffsetsFetched":            "",
	"AdjustFetchOffsetsFn":        "",
	"BlockRebalanceOnPoll":        "",
	"KeepControlRecords":          "",
	"KeepRetryableFetchErrors":    "",
	"RequireStableFetchOffsets":   "",
	"GroupProtocol":               "",
	"ServerSideBalancer":          "",
	"ShareGroup":                  "",
	"ShareMaxRecords":             "",
	"ShareMaxRecordsStrict":       "",
	"ShareAckCallback":            "",
	"TransactionalID":             "",
	"WithContext":                 "",
	"WithPools":                   "",
}

// setsBalancers reports whether an option is kgo.Balancers.
func setsBalancers(opt kgo.Opt) bool {
	return slices.Contains(strings.Split(closureName(opt), "."), "Balancers")
}

// refuseOwned returns an error that names the first owned option among opts. kgo's options are closures and do not say
// what they set, so refuseOwned reads the name of the function that made the closure. An option that it does not
// recognize is overridden, because the driver's own options come last.
func refuseOwned(opts []kgo.Opt) error {
	for _, opt := range opts {
		for part := range strings.SplitSeq(closureName(opt), ".") {
			instead, found := owned[part]
			switch {
			case !found:
			case instead == "":
				return fmt.Errorf("franz.WithOpts: kgo.%s belongs to the library and cannot be given", part)
			default:
				return fmt.Errorf("franz.WithOpts: kgo.%s belongs to the library: set %s instead", part, instead)
			}
		}
	}
	return nil
}

// closureName returns the name of the function in opt, such as "github.com/twmb/franz-go/pkg/kgo.ClientID.func1".
func closureName(opt kgo.Opt) string {
	v := reflect.ValueOf(opt)
	if v.Kind() != reflect.Struct || v.NumField() == 0 || v.Field(0).Kind() != reflect.Func {
		return ""
	}
	if f := runtime.FuncForPC(v.Field(0).Pointer()); f != nil {
		return f.Name()
	}
	return ""
}

// clientOpts returns the options of the kgo.Client: defaults, the user's, then the library's own.
func (c *consumer) clientOpts(user []kgo.Opt, balancers []kgo.GroupBalancer) []kgo.Opt {
	cfg := &c.cfg
	opts := c.connectOpts(user)
	opts = append(opts,
		kgo.Balancers(balancers...),
		kgo.WithPools(new(recordPool)),

		kgo.ConsumerGroup(cfg.GroupID),
		kgo.ConsumeTopics(c.subscription.patterns...),

		kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.KeepControlRecords(),
		kgo.FetchIsolationLevel(isolation(cfg)),
		kgo.OnPartitionsAssigned(c.onAssigned),
		kgo.OnPartitionsRevoked(c.onRevoked),
		kgo.OnPartitionsLost(c.onLost),
		kgo.AdjustFetchOffsetsFn(c.adjustOffsets),
	)
	if c.subscription.regex {
		opts = append(opts, kgo.ConsumeRegex())
	}
	if cfg.InstanceID != "" {
		opts = append(opts, kgo.InstanceID(cfg.InstanceID))
	}
	if cfg.Rack != "" {
		opts = append(opts, kgo.Rack(cfg.Rack))
	}
	for _, d := range []struct {
		value time.Duration
		opt   func(time.Duration) kgo.GroupOpt
	}{
		{cfg.SessionTimeout, kgo.SessionTimeout},
		{cfg.HeartbeatInterval, kgo.HeartbeatInterval},
		{cfg.MaxPollInterval, kgo.RebalanceTimeout},
	} {
		if d.value > 0 {
			opts = append(opts, d.opt(d.value))
		}
	}
	if cfg.FetchMaxWait > 0 {
		opts = append(opts, kgo.FetchMaxWait(max(cfg.FetchMaxWait, 10*time.Millisecond))) // kgo's floor
	}
	if cfg.FetchMinBytes > 0 {
		opts = append(opts, kgo.FetchMinBytes(int32(min(cfg.FetchMinBytes, math.MaxInt32))))
	}
	total, partition := c.fetchSizes(1)
	return append(opts, kgo.FetchMaxBytes(total), kgo.FetchMaxPartitionBytes(partition))
}

// controlOpts returns the options of the client that consumes nothing.
func (c *consumer) controlOpts(user []kgo.Opt) []kgo.Opt {
	user = slices.DeleteFunc(slices.Clone(user), setsBalancers)
	return c.connectOpts(user)
}

// connectOpts returns what both clients need: defaults, the user's, then the library's own.
func (c *consumer) connectOpts(user []kgo.Opt) []kgo.Opt {
	cfg := &c.cfg
	opts := []kgo.Opt{
		// A library that sends client metrics about its process to the broker must ask first; this one sends none.
		kgo.DisableClientMetrics(),
		// A restarting broker also hangs up on new connections. Without this option kgo takes that for a missing password,
		// and ends the group session and other requests.
		kgo.AlwaysRetryEOF(),
	}
	opts = append(opts, user...)
	if cfg.Dialer != nil {
		opts = append(opts, kgo.Dialer(cfg.Dialer))
	}
	opts = append(opts, c.security.options(cfg.Dialer)...)
	opts = append(opts,
		kgo.WithContext(c.life),
		kgo.WithLogger(newLogger(cfg.Logger)),
		kgo.WithHooks(&hooks{c: c}),
		kgo.SeedBrokers(cfg.BootstrapServers...),
		// A response may hold one record larger than the limit, so larger reads must be allowed; 1 GiB is kgo's maximum.
		kgo.BrokerMaxReadBytes(1<<30),
	)
	if cfg.ClientID != "" {
		opts = append(opts, kgo.ClientID(cfg.ClientID))
	}
	if age := cfg.MetadataMaxAge; age > 0 {
		// kgo's default minimum between two refreshes is 5 s, and the minimum may not exceed the maximum.
		opts = append(opts, kgo.MetadataMaxAge(age), kgo.MetadataMinAge(min(age, 2500*time.Millisecond)))
	}
	return opts
}

func isolation(cfg *driver.Config) kgo.IsolationLevel {
	if cfg.ReadUncommitted {
		return kgo.ReadUncommitted()
	}
	return kgo.ReadCommitted()
}

// fetchSizes returns the limits of a fetch request to one of n brokers. kgo has at most one fetch per broker in flight
// and holds the response until it is polled, so BufferBytes is respected if each broker's response is at most its
// share. Two responses per broker, the most that can arrive before a pause takes effect, take at most a quarter of
// BufferBytes. A response stays in memory until the last of its records is released, which is why it is not larger: at
// twice the size, 64 partitions took 60 MB more and were read no faster.
//
// The limit per partition does not depend on the number of partitions. Such a limit would not bound the total, and with
// 16 KB for each of 1,000 partitions throughput fell to a tenth.
func (c *consumer) fetchSizes(brokers int) (total, partition int32) {
	const (
		floor      = 64 << 10 // less would make a request of every few records
		defaultMax = 50 << 20 // fetch.max.bytes of Kafka's own clients
		defaultPer = 1 << 20  // max.partition.fetch.bytes of Kafka's own clients
	)
	t, p := c.cfg.FetchMaxBytes, c.cfg.FetchMaxPartitionBytes
	if t <= 0 {
		t = defaultMax
	}
	if p <= 0 {
		p = defaultPer
	}
	if share := c.cfg.BufferBytes / 8 / max(brokers, 1); share > 0 {
		t = min(t, max(share, floor))
	}
	t = min(t, 1<<30)
	return int32(t), int32(min(p, t))
}

// subscription is Config.Topics for kgo, which accepts either names or patterns, never both.
type subscription struct {
	patterns []string
	regex    bool
	// names are the topics subscribed to by name.
	names []string
	match []*regexp.Regexp
}

func newSubscription(topics []string) (subscription, error) {
	var s subscription
	for _, t := range topics {
		if strings.HasPrefix(t, "^") {
			re, err := regexp.Compile(t)
			if err != nil {
				return s, fmt.Errorf("topic pattern %q: %w", t, err)
			}
			s.regex = true
			s.match = append(s.match, re)
			s.patterns = append(s.patterns, t)
			continue
		}
		s.names = append(s.names, t)
	}
	for _, name := range s.names {
		if s.regex {
			name = "^" + regexp.QuoteMeta(name) + "$"
		}
		s.patterns = append(s.patterns, name)
	}
	return s, nil
}

// matches reports whether a pattern matches a topic's name.
func (s *subscription) matches(topic string) bool {
	for _, re := range s.match {
		if re.MatchString(topic) {
			return true
		}
	}
	return false
}
