package keda

import (
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/scaling"
)

// The policies that metadata can name.
const (
	policyDrain  = "Drain"
	policyLambda = "Lambda"
)

// AWS's names for StartingPosition.
const (
	trimHorizon = "TRIM_HORIZON"
	latest      = "LATEST"
	atTimestamp = "AT_TIMESTAMP"
)

// config is the parsed metadata of a trigger.
type config struct {
	bootstrapServers []string
	consumerGroup    string
	topics           []string         // names
	patterns         []*regexp.Regexp // of the topics that start with ^

	policy    string
	drainTime time.Duration
	within    time.Duration
	stepUp    float64
	stepDown  float64
	downAfter int

	workersPerReplica int
	membersPerReplica int
	batchSize         int
	minReplicas       int
	maxReplicas       int

	startingPosition string
	startTimestamp   time.Time
	readUncommitted  bool
	interval         time.Duration
	maxAge           time.Duration

	sourceAccess []auth.SourceAccessConfiguration
}

var (
	topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)
	hostName  = regexp.MustCompile(`^[a-zA-Z0-9.:_-]+$`)
)

// parse parses the metadata. The error is an [*InvalidMetadataError] with everything that is wrong.
func parse(metadata map[string]string) (*config, error) {
	f := &fields{given: metadata}
	c := &config{}
	c.source(f)
	c.policy = f.choice("policy", policyDrain, policyDrain, policyLambda)
	c.drainTime = f.duration("drainTime", time.Minute, time.Second, 24*time.Hour)
	c.within = f.duration("within", 3*time.Minute, time.Second, 24*time.Hour)
	c.stepUp = f.number("stepUp", 2, 1, 100)
	c.stepDown = f.number("stepDown", 0.5, 0, 1)
	c.downAfter = f.integer("downAfter", 3, 1, 1000)
	c.belongs(f, policyLambda, "within", "stepUp", "stepDown", "downAfter")
	c.belongs(f, policyDrain, "drainTime")
	c.sizes(f)
	c.start(f)
	c.readUncommitted = f.choice("isolationLevel", "read_committed", "read_committed", "read_uncommitted") == "read_uncommitted"
	c.interval = f.duration("interval", 10*time.Second, time.Second, 5*time.Minute)
	c.maxAge = f.duration("maxAge", 5*time.Minute, 10*time.Second, 24*time.Hour)
	c.access(f)
	f.unknown()
	if len(f.bad) > 0 {
		return nil, &InvalidMetadataError{Fields: f.bad}
	}
	return c, nil
}

// belongs rejects parameters of a policy other than the chosen one: they would have no effect.
func (c *config) belongs(f *fields, policy string, names ...string) {
	if c.policy == policy {
		return
	}
	for _, name := range names {
		if value, as, ok := f.lookup(name); ok {
			f.refuse(as, value, "belongs to policy "+policy+" and the policy is "+c.policy, "it left out, or policy "+policy)
		}
	}
}

func (c *config) source(f *fields) {
	const servers = "host:port, separated by commas"
	var as string
	c.bootstrapServers, as = f.list("bootstrapServers", servers)
	for _, server := range c.bootstrapServers {
		host, port, err := net.SplitHostPort(server)
		n, errPort := strconv.Atoi(port)
		if err != nil || errPort != nil || n < 1 || n > 65535 || !hostName.MatchString(host) {
			if strings.Contains(server, "@") { // user:password@host
				server = ""
			}
			f.refuse(as, server, "is not a broker's address", servers)
		}
	}
	c.consumerGroup, as = f.text("consumerGroup", "the group.id of the target")
	if len(c.consumerGroup) > 249 {
		f.refuse(as, c.consumerGroup, "is too long", "at most 249 bytes")
	}
	const names = "topic names, or regular expressions that begin with ^, separated by commas"
	topics, as := f.list("topics", names)
	for _, topic := range topics {
		if strings.HasPrefix(topic, "^") {
			pattern, err := regexp.Compile(topic)
			if err != nil {
				f.refuse(as, topic, "is not a regular expression", names)
				continue
			}
			c.patterns = append(c.patterns, pattern)
			continue
		}
		if !topicName.MatchString(topic) || topic == "." || topic == ".." {
			f.refuse(as, topic, "is not a topic's name", names)
		}
		if !slices.Contains(c.topics, topic) {
			c.topics = append(c.topics, topic)
		}
	}
}

func (c *config) sizes(f *fields) {
	const manyReplicas, manyWorkers = 10_000, 1 << 20
	c.workersPerReplica = f.integer("workersPerReplica", 1, 1, 10_000)
	c.membersPerReplica = f.integer("membersPerReplica", 1, 1, 2000) // AWS's MaximumPollers
	c.batchSize = f.integer("batchSize", 100, 1, 10_000)             // AWS's default and limit of BatchSize
	c.minReplicas = f.integer("minReplicas", 0, 0, manyReplicas)
	c.maxReplicas = f.integer("maxReplicas", 100, 1, manyReplicas) // KEDA's default of maxReplicaCount
	if c.minReplicas > c.maxReplicas {
		f.refuse("minReplicas", strconv.Itoa(c.minReplicas), "is over maxReplicas", "0 to "+strconv.Itoa(c.maxReplicas))
	}
	if c.maxReplicas*c.workersPerReplica > manyWorkers {
		f.refuse("workersPerReplica", strconv.Itoa(c.workersPerReplica), "makes too many workers with maxReplicas "+strconv.Itoa(c.maxReplicas),
			"a product of at most "+strconv.Itoa(manyWorkers))
	}
}

func (c *config) start(f *fields) {
	c.startingPosition = f.choice("startingPosition", trimHorizon, trimHorizon, latest, atTimestamp)
	value, as, ok := f.lookup("startingPositionTimestamp")
	const allowed = "seconds since 1970, or a time such as 2026-01-02T15:04:05Z"
	switch {
	case !ok && c.startingPosition == atTimestamp:
		f.refuse("startingPositionTimestamp", "", "is missing, and startingPosition is AT_TIMESTAMP", allowed)
	case ok && c.startingPosition != atTimestamp:
		f.refuse(as, value, "belongs to startingPosition AT_TIMESTAMP", "it left out, or startingPosition AT_TIMESTAMP")
	case ok:
		at, err := time.Parse(time.RFC3339, value)
		if n, plain := strconv.ParseInt(value, 10, 64); plain == nil && n >= 0 && n < 1<<40 {
			at, err = time.Unix(n, 0), nil
		}
		if err != nil || at.Unix() < 0 {
			f.refuse(as, value, "is not a time", allowed)
		}
		c.startTimestamp = at
	}
}

// access builds SourceAccessConfigurations from the fields, and package auth validates them.
func (c *config) access(f *fields) {
	kind := f.choice("sourceAccessType", "", string(auth.BasicAuth), string(auth.SASLSCRAM256Auth),
		string(auth.SASLSCRAM512Auth), string(auth.ClientCertificateTLSAuth))
	uri, as, ok := f.lookup("sourceAccessURI")
	_, _, named := f.lookup("sourceAccessType")
	const where = "the name of a secret, such as file:kafka.json"
	names := map[int]string{}
	switch {
	case kind != "":
		names[len(c.sourceAccess)] = as
		c.sourceAccess = append(c.sourceAccess, auth.SourceAccessConfiguration{Type: auth.SourceAccessType(kind), URI: uri})
	case ok && !named:
		f.refuse(as, "", "needs sourceAccessType", "both or neither")
	}
	if uri, as, ok := f.lookup("serverRootCACertificate"); ok {
		names[len(c.sourceAccess)] = as
		c.sourceAccess = append(c.sourceAccess, auth.SourceAccessConfiguration{Type: auth.ServerRootCACertificate, URI: uri})
	}
	for _, p := range auth.ValidateSourceAccess(c.sourceAccess) {
		problem := p.Message
		if p.Hint != "" {
			problem += " (" + p.Hint + ")"
		}
		f.refuse(names[p.Index], "", problem, where)
	}
}

// newPolicy returns the policy with its guard.
func (c *config) newPolicy() *scaling.Guarded {
	var policy scaling.Policy = &scaling.Drain{DrainTime: c.drainTime, Interval: c.interval}
	if c.policy == policyLambda {
		// One of Lambda's consumers is one replica here.
		policy = &scaling.Lambda{
			Within: c.within, StepUp: c.stepUp, StepDown: c.stepDown, DownAfter: c.downAfter,
			WorkersPerConsumer: c.workersPerReplica,
		}
	}
	return scaling.Guard(policy, c.bounds())
}

func (c *config) bounds() scaling.Bounds {
	return scaling.Bounds{
		MinimumWorkers: max(c.minReplicas, 1) * c.workersPerReplica,
		MaximumWorkers: c.maxReplicas * c.workersPerReplica,
	}
}

// replicas returns how many replicas have that many workers.
func (c *config) replicas(workers int) int {
	n := (workers + c.workersPerReplica - 1) / c.workersPerReplica
	return min(max(n, c.minReplicas), c.maxReplicas)
}
