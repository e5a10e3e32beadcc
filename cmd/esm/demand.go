package main

import (
	"sync"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/function/runtime"
	"github.com/esm-go/esm/observe"
)

// demands holds how many workers the mappings of each function ask for. A function's pool follows the sum.
type demands struct {
	mu sync.Mutex
	of map[*runtime.Pool]map[string]int // by the mapping's UUID
}

// follow returns options that make a function's pool follow the mapping's scaling policy, until the mapping stops.
func (f *fleet) follow(m esm.Mapping) []esm.Option {
	target, err := f.registry.Resolve(m.FunctionName)
	if err != nil {
		return nil // the mapping's own Resolve reports it
	}
	pool, ok := target.(*runtime.Pool)
	if !ok {
		return nil
	}
	return []esm.Option{esm.WithHooks(esm.Hooks{
		Scaled: func(i esm.ScaledInfo) { f.demands.set(pool, m.UUID, i.To.Workers) },
		StateChange: func(i esm.StateInfo) {
			if i.To == observe.Disabled {
				f.demands.set(pool, m.UUID, 0)
			}
		},
	})}
}

// set sets how many workers a mapping asks for.
func (d *demands) set(pool *runtime.Pool, uuid string, workers int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == nil {
		d.of = make(map[*runtime.Pool]map[string]int)
	}
	if d.of[pool] == nil {
		d.of[pool] = make(map[string]int)
	}
	if d.of[pool][uuid] = workers; workers == 0 {
		delete(d.of[pool], uuid)
	}
	var all esm.ScaledInfo
	for _, n := range d.of[pool] {
		all.To.Workers += n
	}
	pool.Hooks().Scaled(all)
}
