package keda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/esm-go/esm/keda/internal/externalscaler"
)

// Options configure a [Server]. The zero value is ready to use, without secrets.
type Options struct {
	// Secrets returns the secrets that a namespace's ScaledObjects may name. Default: none, so ScaledObjects
	// with sourceAccessType are rejected.
	Secrets SecretsOf
	// Logger logs each decision that changes something, and failures. Default: no logging.
	Logger *slog.Logger
	// IdleAfter is how long a ScaledObject is followed after KEDA last asked for it. Default 15 min; keep it
	// above the longest pollingInterval.
	IdleAfter time.Duration
	// MaximumObjects is the most triggers that are followed; calls for others get ResourceExhausted. Default
	// 1000.
	MaximumObjects int

	clock clock // for tests
}

// Server follows ScaledObjects. Create it with [New], register it at a grpc.Server with [Server.Register],
// and close it with [Server.Close]. Safe for concurrent use.
type Server struct {
	options Options
	life    context.Context // of the loops
	end     context.CancelFunc
	loops   sync.WaitGroup

	mu      sync.Mutex // never held while waiting
	objects map[string]*object
	closed  bool
}

// New returns a Server. It does nothing until the first call.
func New(options Options) *Server {
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.IdleAfter <= 0 {
		options.IdleAfter = 15 * time.Minute
	}
	if options.MaximumObjects <= 0 {
		options.MaximumObjects = 1000
	}
	if options.clock == nil {
		options.clock = wallClock{}
	}
	life, end := context.WithCancel(context.Background())
	return &Server{options: options, life: life, end: end, objects: map[string]*object{}}
}

// ServiceName is the gRPC name of KEDA's contract, for health checks.
const ServiceName = "externalscaler.ExternalScaler"

// Register adds KEDA's service to a grpc.Server.
func (s *Server) Register(r grpc.ServiceRegistrar) {
	externalscaler.RegisterExternalScalerServer(r, &service{server: s})
}

// Close ends every loop and stream, and waits for the loops. Waiting and later calls get Unavailable. Call it
// before grpc.Server.GracefulStop, which waits for the streams.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.loops.Wait()
}

// errTooMany is wrapped with the limit.
var errTooMany = errors.New("too many ScaledObjects")

// follow returns the object of a trigger, and starts its loop if it is new.
func (s *Server) follow(ref *externalscaler.ScaledObjectRef, streams int) (*object, error) {
	key := keyOf(ref)
	if o, err := s.find(key, streams); o != nil || err != nil {
		return o, err
	}
	cfg, err := parse(ref.GetScalerMetadata())
	if err != nil {
		return nil, err
	}
	o := newObject(cfg, nil, s.options.clock, s.options.Logger.With("namespace", ref.GetNamespace(), "scaledObject", ref.GetName()))
	if s.options.Secrets != nil {
		o.secrets = s.options.Secrets(ref.GetNamespace())
	}
	return s.start(key, o, streams)
}

func (s *Server) find(key string, streams int) (*object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	o := s.objects[key]
	if o != nil {
		o.touch(streams)
	}
	return o, nil
}

func (s *Server) start(key string, o *object, streams int) (*object, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed
	}
	if other := s.objects[key]; other != nil { // another call was faster
		other.touch(streams)
		return other, nil
	}
	if len(s.objects) >= s.options.MaximumObjects {
		return nil, fmt.Errorf("%w: %d are followed already", errTooMany, len(s.objects))
	}
	o.touch(streams)
	s.objects[key] = o
	s.loops.Go(func() {
		o.run(s.life, func() bool { return s.evict(key, o) })
	})
	return o, nil
}

// evict removes an object that nothing asks for any longer, and reports whether it did.
func (s *Server) evict(key string, o *object) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o.idleFor() < s.options.IdleAfter {
		return false
	}
	delete(s.objects, key)
	o.end(errEvicted)
	return true
}

// keyOf returns a trigger's key. A ScaledObject may have several triggers, and one whose metadata has changed
// is a different one.
func keyOf(ref *externalscaler.ScaledObjectRef) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q/%q", ref.GetNamespace(), ref.GetName())
	metadata := ref.GetScalerMetadata()
	for _, name := range slices.Sorted(maps.Keys(metadata)) {
		fmt.Fprintf(&b, " %q=%q", name, metadata[name])
	}
	return b.String()
}

// clock is the time, which tests replace.
type clock interface {
	now() time.Time
	after(d time.Duration) (fires <-chan time.Time, stop func())
}

type wallClock struct{}

func (wallClock) now() time.Time { return time.Now() }

func (wallClock) after(d time.Duration) (<-chan time.Time, func()) {
	t := time.NewTimer(d)
	return t.C, func() { t.Stop() }
}
