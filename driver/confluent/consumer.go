//go:build cgo

package confluent

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/confluentinc/confluent-kafka-go/v2/kafka"

	"github.com/esm-go/esm/auth"
	"github.com/esm-go/esm/driver"
)

// consumer is one member of a consumer group.
//
// Who touches what: the fields of the first block never change; those of the second belong to the poll goroutine,
// which is also the one that librdkafka calls rebalance on; the rest is safe for everyone.
type consumer struct {
	client        *kafka.Consumer
	queue         *queue // nil where only client.Poll reads it
	admin         *kafka.AdminClient
	listener      driver.Listener
	logger        *slog.Logger
	logs          *logPump
	group         string
	strategy      string
	topics        topicSet
	readCommitted bool
	credentials   *auth.Credentials // of Open; user name and password may have changed since
	servers       []string
	life          context.Context // ends with Close
	end           context.CancelFunc

	partitions  map[driver.TopicPartition]*partition // what the group assigned
	last        *partition                           // the one that the last record was of
	eager       bool                                 // the protocol of the last rebalance
	unflowing   int                                  // partitions that are held or paused
	into        *driver.Fetch                        // what the running Poll fills
	fetchSeq    uint64                               // numbers the Polls
	fetched     fetched                              // how much the running Poll has
	reported    *reported
	again       []driver.Start // starts that librdkafka refused, for the next Poll
	probe       *probe         // the search for the partition that is out of range
	watch       *watch
	coordinator coordinator
	stalls      stalls
	useless     *driver.Error // what every Poll answers once the client is beyond help
	restarted   time.Time     // when the last such search found nothing
	vetting     *vetting      // nil once the member has subscribed
	fatal       *driver.Error
	rebalances  int64
	out         bool // the group has gone on without this member, which has not joined again yet
	leaving     bool // librdkafka is being closed

	tokens    atomic.Pointer[auth.Tokens]
	newTokens chan struct{}                // holds a word when tokens are of another source
	noToken   atomic.Pointer[driver.Error] // why there is none, for the next Poll

	wishes wishes
	member atomic.Pointer[driver.Member]
	// lives has what is assigned, with Member.Rebalances of when it came, for those who may not look at partitions.
	lives   atomic.Pointer[map[driver.TopicPartition]int64]
	gate    *gate // the calls that end by themselves
	commits *gate // the commits that librdkafka has not answered

	closing   atomic.Bool // Close was called: Poll and new listener calls are over
	closeOnce sync.Once
	told      chan struct{} // closed when Close has called the Listener
	closed    chan struct{} // the background part of Close is done
	left      error         // what that part had to leave behind; set before closed is
}

// Member says how the consumer stood in its group after the last rebalance.
func (c *consumer) Member() driver.Member { return *c.member.Load() }

// noteMember reads member id and generation; the poll goroutine calls it with every rebalance.
func (c *consumer) noteMember(lost bool) {
	m := driver.Member{Generation: -1, Rebalances: c.rebalances}
	if !lost {
		m.ID, m.Generation = memberOf(c.client)
	}
	c.member.Store(&m)
}

// noteLives has Commit know what is assigned; the poll goroutine calls it when that changes.
func (c *consumer) noteLives() {
	lives := make(map[driver.TopicPartition]int64, len(c.partitions))
	for tp, p := range c.partitions {
		lives[tp] = p.assignment
	}
	c.lives.Store(&lives)
}

// memberOf takes member id and generation out of librdkafka's group metadata, whose only public form is the one in
// which it goes to a transactional producer: a magic word, the generation in the machine's byte order, then group,
// member and instance as C strings.
func memberOf(client *kafka.Consumer) (string, int32) {
	metadata, err := client.GetConsumerGroupMetadata()
	if err != nil {
		return "", -1
	}
	// The bytes stand in an unexported field; reflection may read them.
	field := reflect.ValueOf(metadata).Elem().FieldByName("serialized")
	if !field.IsValid() || field.Type() != reflect.TypeFor[[]byte]() {
		return "", -1
	}
	return parseMember(field.Bytes())
}

// memberMagic begins librdkafka's serialized group metadata.
const memberMagic = "CGMDv2:"

func parseMember(b []byte) (string, int32) {
	b, ok := bytes.CutPrefix(b, []byte(memberMagic))
	if !ok || len(b) < 4 {
		return "", -1
	}
	generation := int32(binary.NativeEndian.Uint32(b))
	_, rest, ok := bytes.Cut(b[4:], []byte{0}) // the group
	if !ok {
		return "", -1
	}
	id, _, ok := bytes.Cut(rest, []byte{0})
	if !ok {
		return "", -1
	}
	return string(id), generation
}
