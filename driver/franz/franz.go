// Package franz drives esm with github.com/twmb/franz-go, a Kafka client in pure Go: no cgo, no C library, and no cost
// per record except the conversion into event.KafkaRecord.
//
// # How the client is controlled
//
// A consumer is one kgo.Client that consumes as a group member. kgo joins, heartbeats, fetches and discovers. This
// package decides what to read and when:
//
//   - A newly assigned partition is paused in the client before the client learns a position for it. A Start soon after
//     the assignment sets the client's first position; a later one moves the client's cursor. Until then nothing is
//     fetched, and whatever the client holds of the partition is dropped.
//   - The client never resets a position and never commits by itself.
//   - A commit carries the member ID and the generation of the assignment that its positions belong to. When the group
//     drops the member, the loss is reported before the client rejoins. After a session timeout without an answer,
//     nothing is delivered until the group confirms that it still knows the member.
//   - A second client, which consumes nothing, sends commits, lookups and, if the first client's are late, heartbeats:
//     a fetch that the broker throttles blocks everything else on its client.
//   - Listener calls run one at a time, and only inside Poll and Close, which wait for them.
//   - Records refer to the client's fetch buffer: Key and Value are slices of it. A receiver that keeps a few records
//     of a run for long should copy them; otherwise they keep the whole fetched batch alive (without compression: the
//     whole fetch response). Run.Bytes counts the run's own share of it.
//
// # Limits of the client
//
// Empty batches that compaction leaves behind move the client's position without notice: Run.Next catches up at the
// next record or transaction marker.
package franz

import (
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/esm-go/esm/driver"
)

// Option configures the driver that Driver returns.
type Option interface{ apply(*options) }

type optionFunc func(*options)

func (f optionFunc) apply(o *options) { f(o) }

type options struct {
	kgo []kgo.Opt
}

// WithOpts passes options to kgo.NewClient, after the driver's defaults and before the options that the library owns.
// Opening a consumer fails if one of them is an option that the library owns, because it belongs to driver.Config or to
// the driver's contract; the error names it.
func WithOpts(opts ...kgo.Opt) Option {
	return optionFunc(func(o *options) { o.kgo = append(o.kgo, opts...) })
}

// Driver returns a driver that uses franz-go.
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

// version is franz-go's version in this program, empty if the program does not know it.
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

// Features returns what franz-go can do beyond the contract.
func (*franz) Features() driver.Features {
	return driver.Features{TopicIDs: true, ReplaceCredentials: true, VirtualNetwork: true, SharedMemory: true, Network: true}
}

// Open creates a group member. The error names an option that kgo refuses or that the library owns.
func (d *franz) Open(cfg driver.Config, listener driver.Listener) (driver.Consumer, error) {
	return open(d.options, cfg, listener)
}
