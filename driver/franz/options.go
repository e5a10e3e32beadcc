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

// owned names the kgo options that users may not give, with where to turn instead.
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

// refuseOwned returns an error that names the first owned option among opts. kgo's options are closures and do not
// say what they set, so the name is that of the function that made the closure; what this does not recognize is
// overridden, since the driver's own options come last.
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

// clientOpts returns the options of the kgo.Client: defaults, the user's, then those that the library owns.
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

// connectOpts returns what both clients need: defaults, the user's, then those that the library owns.
func (c *consumer) connectOpts(user []kgo.Opt) []kgo.Opt {
	cfg := &c.cfg
	opts := []kgo.Opt{
		// A library that reports to the broker about its process says so first; this one does not report.
		kgo.DisableClientMetrics(),
		// A broker that restarts hangs up on new connections too: kgo would take that for a missing password, and end
		// the group session and whatever else is asked for.
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
		// A response holds a record larger than the limit, so what is read must be allowed to be larger; 1 GiB is
		// kgo's ceiling.
		kgo.BrokerMaxReadBytes(1<<30),
	)
	if cfg.ClientID != "" {
		opts = append(opts, kgo.ClientID(cfg.ClientID))
	}
	if age := cfg.MetadataMaxAge; age > 0 {
		// kgo's own floor between two refreshes is 5 s, and may not be above the maximum.
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

// fetchSizes returns the limits of a fetch request to one of n brokers. kgo asks every broker for one fetch at a time
// and holds it until it is polled, so that BufferBytes is met when each broker's answer is at most its share of it: two
// answers of each broker, which is what can come before a pause takes effect, are at most a quarter of BufferBytes. An answer
// stays in memory until the last of its records is done with, which is why they are not larger: at twice the size 64
// partitions took 60 MB more, and were read no faster.
//
// The limit of a partition does not depend on how many there are: it would say nothing about the whole, and of answers
// made of 16 KB of each of 1,000 partitions a tenth as many records a second were read.
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

// subscription is what Config.Topics means to kgo, which takes either names or patterns, never both.
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

// matches says whether a topic's name is matched by a pattern.
func (s *subscription) matches(topic string) bool {
	for _, re := range s.match {
		if re.MatchString(topic) {
			return true
		}
	}
	return false
}
