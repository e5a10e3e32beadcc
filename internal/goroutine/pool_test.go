package goroutine

import (
	"bytes"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"weak"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// id returns what the runtime calls the goroutine.
func id() string {
	b := make([]byte, 64)
	return string(bytes.Fields(b[:runtime.Stack(b, false)])[1])
}

func TestPoolKeepsGoroutines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var ids []string
		p := New(func(int) { ids = append(ids, id()) })
		for i := range 100 {
			p.Go(i)
			synctest.Wait()
		}
		p.Close()
		if all := slices.Compact(ids); len(ids) != 100 || len(all) != 1 {
			t.Errorf("%d calls ran on %d goroutines, want 100 on one", len(ids), len(all))
		}
	})
}

func TestPoolDoesNotBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var did [8]bool
		release := make(chan struct{})
		p := New(func(i int) {
			<-release
			did[i] = true
		})
		for i := range did {
			p.Go(i)
		}
		p.Close() // with all of them in a call
		close(release)
		synctest.Wait()
		if slices.Contains(did[:], false) {
			t.Errorf("calls that returned: %v", did)
		}
	})
}

func TestPoolOutlivesACallThatEndsItsGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls []int
		p := New(func(i int) {
			calls = append(calls, i)
			if i%2 == 0 {
				runtime.Goexit()
			}
		})
		for i := range 6 {
			p.Go(i)
			synctest.Wait()
		}
		p.Close()
		if want := []int{0, 1, 2, 3, 4, 5}; !slices.Equal(calls, want) {
			t.Errorf("calls: %v, want %v", calls, want)
		}
	})
}

// A goroutine that waits does not keep what its last call had.
func TestPoolLetsTheLastCallGo(t *testing.T) {
	done := make(chan struct{})
	p := New(func(*[1 << 20]byte) { done <- struct{}{} })
	defer p.Close()
	kept := func() weak.Pointer[[1 << 20]byte] {
		x := new([1 << 20]byte)
		p.Go(x)
		return weak.Make(x)
	}()
	<-done
	for range 100 {
		if runtime.GC(); kept.Value() == nil {
			return
		}
	}
	t.Error("it is kept")
}

// BenchmarkPool compares a call that needs a stack of 16 KB on a kept goroutine with one on a new goroutine.
func BenchmarkPool(b *testing.B) {
	done := make(chan struct{})
	call := func(n int) {
		deep(n)
		done <- struct{}{}
	}
	b.Run("kept", func(b *testing.B) {
		p := New(call)
		defer p.Close()
		for b.Loop() {
			p.Go(64)
			<-done
		}
	})
	b.Run("new", func(b *testing.B) {
		for b.Loop() {
			go call(64)
			<-done
		}
	})
}

//go:noinline
func deep(n int) byte {
	var frame [200]byte
	if n > 0 {
		frame[n] = deep(n - 1)
	}
	return frame[n/2]
}
