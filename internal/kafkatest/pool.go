package kafkatest

import (
	"os"
	"sync"
	"testing"
)

// Pool lends clusters to all tests of a package. Each set of options has one cluster, which starts when the first test
// asks for it and ends after the last test. The zero Pool is ready; its Main must be called from TestMain. Tests that
// kill or stop nodes use [Start] instead.
type Pool struct {
	mu       sync.Mutex // guards the map and main, never held while waiting
	main     bool
	clusters map[string]*lent
}

type lent struct {
	once sync.Once
	root string
	c    *Cluster
	err  error
}

// TestingM is implemented by *testing.M, and accepted by goleak.VerifyTestMain.
type TestingM interface{ Run() int }

// Main returns an m whose Run ends the pool's clusters after the tests:
//
//	func TestMain(m *testing.M) { os.Exit(pool.Main(m).Run()) }
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(pool.Main(m)) }
func (p *Pool) Main(m TestingM) TestingM {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.main = true
	return pooled{m, p}
}

type pooled struct {
	m TestingM
	p *Pool
}

// Run runs the tests and then ends the clusters.
func (m pooled) Run() int {
	defer m.p.end()
	return m.m.Run()
}

// Cluster returns the package's cluster with these options. It skips or fails under the same conditions as [Start].
func (p *Pool) Cluster(tb testing.TB, opts ...Option) *Cluster {
	tb.Helper()
	version := admit(tb)
	cfg, _, err := newConfig(version, opts)
	if err != nil {
		tb.Fatalf("kafkatest: %v", err)
	}
	l, ok := p.lend(cfg.key())
	if !ok {
		tb.Fatal("kafkatest: call the pool's Main in TestMain, or its clusters outlive the tests")
	}
	l.once.Do(func() {
		if l.root, l.err = os.MkdirTemp("", "esm-kafka-"); l.err == nil { //nolint:usetesting // the cluster outlives this test
			l.c, l.err = launch(version, l.root, opts)
		}
	})
	if l.err != nil {
		tb.Fatalf("kafkatest: %v", l.err)
	}
	l.c.logOnFailure(tb)
	return l.c
}

func (p *Pool) lend(key string) (*lent, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.clusters == nil {
		p.clusters = map[string]*lent{}
	}
	if p.clusters[key] == nil {
		p.clusters[key] = &lent{}
	}
	return p.clusters[key], p.main
}

func (p *Pool) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.clusters {
		if l.c != nil {
			l.c.end()
		}
		_ = os.RemoveAll(l.root) // a folder in the temporary folder
	}
	p.clusters = nil
}
