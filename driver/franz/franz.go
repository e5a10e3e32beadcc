// Package franz drives esm with github.com/twmb/franz-go, a Kafka client in pure Go: no cgo, no C library, and no cost
// a record but the conversion into event.KafkaRecord.
//
// # How the client is held
//
// A consumer is one kgo.Client that consumes as a group member. kgo joins, heartbeats, fetches and discovers; what to
// read and when is decided here:
//
//   - A newly assigned partition is paused in the client before the client learns of a position for it. A Start that
//     comes soon after the assignment is what the client begins with; a later one moves the client's cursor. Until then
//     nothing is fetched, and whatever the client holds of the partition is dropped.
//   - The client never resets a position and never commits by itself.
//   - A commit carries the member id and the generation of the assignment that its positions belong to. When the group drops
//     the member, the loss is told before the client joins again; after a session's length without an answer nothing is
//     delivered until the group says that it still knows the member.
//   - A second client, which consumes nothing, carries commits, look-ups and, where the first one's are late, heartbeats: a
//     fetch that the broker throttles keeps everything else of its client waiting.
//   - Listener calls run one at a time, and only inside Poll and Close, which wait for them.
//   - Records keep referring to the client's fetch buffer: Key and Value are slices of it. A receiver that keeps few
//     records of a run for long copies them, or they keep the whole fetched batch (without compression: the whole fetch
//     response) alive; Run.Bytes counts the run's own share of it.
//
// # Limits of the client
//
// Empty batches that compaction leaves behind move the client's position without a word to its user: Run.Next follows
// at the next record or transaction marker.
package franz

import (
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
)

// Option changes a driver made by Driver.
type Option interface{ apply(*options) }

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

type options struct {
	kgo []kgo.Opt
}

// WithOpts hands options to kgo.NewClient, after the driver's defaults and before the options that the library owns.
// An option that the library owns, because it belongs to driver.Config or to the driver's contract, is refused by name
// when a consumer is opened.
func WithOpts(opts ...kgo.Opt) Option {
	return optionFunc(func(o *options) { o.kgo = append(o.kgo, opts...) })
}

// Driver returns a driver over franz-go.
func Driver(opts ...Option) driver.Driver {
	d := &franz{}
	for _, opt := range opts {
		opt.apply(&d.options)
	}
	d.options.kgo = slices.Clip(d.options.kgo)
	return d
}

type franz struct{ options options }

// Name returns "franz".
func (*franz) Name() string { return "franz" }

// Describe names franz-go and its version.
func (*franz) Describe() driver.Description {
	return driver.Description{Client: "franz-go", Version: version(), Reading: "Poll"}
}

// version is franz-go's in this program, empty where the program does not know.
var version = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, module := range info.Deps {
			if module.Path == "github.com/twmb/franz-go" {
				return strings.TrimPrefix(module.Version, "v")
			}
		}
	}
	return ""
})

// Features says what franz-go can do beyond the contract.
func (*franz) Features() driver.Features {
	return driver.Features{TopicIDs: true, ReplaceCredentials: true, VirtualNetwork: true, SharedMemory: true, Network: true}
}

// Open makes a group member. The error names an option that kgo refuses or that the library owns.
func (d *franz) Open(cfg driver.Config, listener driver.Listener) (driver.Consumer, error) {
	return open(d.options, cfg, listener)
}
