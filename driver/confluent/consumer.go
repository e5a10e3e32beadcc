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
// The fields of the first block never change. Those of the second belong to the poll goroutine, on which librdkafka
// also calls rebalance. The rest is safe for concurrent use.
type consumer struct {
	client        *kafka.Consumer
	queue         *queue // nil if records are read through client.Poll
	admin         *kafka.AdminClient
	listener      driver.Listener
	logger        *slog.Logger
	logs          *logPump
	group         string
	strategy      string
	topics        topicSet
	readCommitted bool
	config        driver.Config   // as of Open; for the credentials in use, see login
	properties    map[string]any  // of WithConfig
	life          context.Context // ends with Close
	end           context.CancelFunc

	partitions  map[driver.TopicPartition]*partition // what the group assigned
	last        *partition                           // the last record's partition
	eager       bool                                 // the protocol of the last rebalance
	unflowing   int                                  // partitions that are held or paused
	into        *driver.Fetch                        // the result of the running Poll
	fetchSeq    uint64                               // numbers the Polls
	fetched     fetched                              // what the running Poll has so far
	reported    *reported
	again       []driver.Start // starts that librdkafka refused, for the next Poll
	probe       *probe         // the search for the partition that is out of range
	watch       *watch
	coordinator coordinator
	stalls      stalls
	useless     *driver.Error // the error of every Poll once the client cannot recover
	restarted   time.Time     // when the last such search found nothing
	vetting     *vetting      // nil once the member has subscribed
	fatal       *driver.Error
	rebalances  int64
	out         bool // the group moved on without this member, which has not rejoined yet
	leaving     bool // librdkafka is being closed

	login     atomic.Pointer[auth.Credentials] // the credentials in use: user name, password and tokens can be replaced
	newTokens chan struct{}                    // holds a value when tokens come from another source
	noToken   atomic.Pointer[driver.Error]     // why there is none, for the next Poll

	wishes wishes
	member atomic.Pointer[driver.Member]
	// lives maps each assigned partition to its Member.Rebalances, for goroutines that may not read partitions.
	lives   atomic.Pointer[map[driver.TopicPartition]int64]
	gate    *gate // calls with a time limit of their own
	commits *gate // commits that librdkafka has not answered

	closing   atomic.Bool // Close was called: no more Polls and no new listener calls
	closeOnce sync.Once
	told      chan struct{} // closed when Close has called the Listener
	closed    chan struct{} // closed when the background part of Close is done
	left      error         // what that part had to leave behind; set before closed is closed
}

// Member returns the consumer's state in its group as of the last rebalance.
func (c *consumer) Member() driver.Member { return *c.member.Load() }

// noteMember reads member ID and generation; the poll goroutine calls it at every rebalance.
func (c *consumer) noteMember(lost bool) {
	m := driver.Member{Generation: -1, Rebalances: c.rebalances}
	if !lost {
		m.ID, m.Generation = memberOf(c.client)
	}
	c.member.Store(&m)
}

// noteLives publishes what is assigned, for Commit; the poll goroutine calls it on each change.
func (c *consumer) noteLives() {
	lives := make(map[driver.TopicPartition]int64, len(c.partitions))
	for tp, p := range c.partitions {
		lives[tp] = p.assignment
	}
	c.lives.Store(&lives)
}

// memberOf reads member ID and generation from librdkafka's group metadata. Its only public form is the serialized one
// for a transactional producer: a magic word, the generation in native byte order, then group, member and instance as C
// strings.
func memberOf(client *kafka.Consumer) (string, int32) {
	metadata, err := client.GetConsumerGroupMetadata()
	if err != nil {
		return "", -1
	}
	// The bytes are in an unexported field, which reflection can read.
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
