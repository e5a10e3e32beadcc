// Mutate breaks the engine in one place after the other and runs the tests: a mutation that no test notices
// is a claim without proof. Run it from the module's root, on Linux or another Unix:
//
//	go run ./internal/mutate                 # all of mutations.txt
//	go run ./internal/mutate -run commit     # those whose name or function has "commit" in it
//	go run ./internal/mutate -part 2/5       # every fifth, from the second on
//	go run ./internal/mutate -model 300      # only 300 scripts of the model, on the mutations with an item
//
// It changes no file of the module: the compiler gets its own files as an overlay. They hold all mutations at
// once, and an environment variable selects the active one, so each package's tests are built only once.
// Mutate exits with status 1 if a mutation survives without a reason in mutations.txt, if a mutation with a
// reason is noticed, or if the code that a mutation names no longer exists.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// elsewhere are tests that say nothing about the engine, and wait for networks and compilers.
const elsewhere = "Secure|Secret|Rotat|Expiry|Drivers|Documented|DataPackages|OpsAre|TwoProcessesSettle|FetchingIsTheBottleneck|BudgetBound"

func main() {
	var o order
	flag.StringVar(&o.list, "list", "internal/mutate/mutations.txt", "the file of mutations")
	flag.StringVar(&o.noticed, "noticed", "internal/mutate/noticed.txt", "the file of what noticed them last")
	flag.StringVar(&o.filter, "run", "", "only mutations with this in their name, function or item")
	flag.StringVar(&o.part, "part", "1/1", "only every n-th, from the i-th on, as i/n")
	flag.StringVar(&o.skip, "skip", elsewhere, "tests that are not run")
	flag.StringVar(&o.dir, "dir", "", "keep what is built in this directory, and use what is there already")
	flag.BoolVar(&o.check, "check", false, "only see that every mutation applies and compiles")
	flag.BoolVar(&o.record, "record", false, "write down which test noticed what")
	flag.IntVar(&o.model, "model", 0, "run so many scripts of the model instead, on the mutations that have an item: it has to find them")
	flag.Parse()
	if err := o.run(); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// order holds the command line's settings.
type order struct {
	list, noticed, filter, part, skip, dir string
	check, record                          bool
	model                                  int
}

func (o *order) run() error {
	all, known, err := o.read()
	if err != nil {
		return err
	}
	src, err := load(".")
	if err != nil {
		return err
	}
	b := &bench{suites: make(map[string]*suite), known: known}
	b.schema, err = newSchema(src, all)
	if b.schema != nil {
		defer func() { _ = os.RemoveAll(b.schema.dir) }()
	}
	if err != nil {
		return err
	}
	chosen, err := o.choose(all)
	if err != nil {
		return err
	}
	if err := o.prepare(b, all, chosen); err != nil || o.check {
		return err
	}
	return o.campaign(b, all, chosen)
}

func (o *order) read() ([]mutation, noticed, error) {
	text, err := os.ReadFile(o.list)
	if err != nil {
		return nil, nil, err
	}
	all, err := parse(string(text))
	if err != nil {
		return nil, nil, err
	}
	if text, err = os.ReadFile(o.noticed); err != nil {
		return all, make(noticed), nil //nolint:nilerr // there is none before the first -record
	}
	known, err := parseNoticed(string(text))
	return all, known, err
}

// choose returns the numbers of the mutations to try.
func (o *order) choose(all []mutation) (numbers []int, err error) {
	var from, step int
	if n, err := fmt.Sscanf(o.part, "%d/%d", &from, &step); n != 2 || err != nil || from < 1 || from > step {
		return nil, fmt.Errorf("-part %s is not i/n", o.part)
	}
	for i, m := range all {
		if i%step == from-1 && strings.Contains(m.name+" "+m.function+" "+m.item, o.filter) && (o.model == 0 || m.item != "") {
			numbers = append(numbers, i+1)
		}
	}
	return numbers, nil
}

// prepare builds the tests of the chosen mutations' packages and checks that they pass.
func (o *order) prepare(b *bench, all []mutation, chosen []int) error {
	into := o.dir
	if into == "" {
		into = b.schema.dir
	}
	for _, n := range chosen {
		dirs := all[n-1].packages
		if o.model > 0 {
			dirs = []string{"internal/model"}
		}
		for _, dir := range dirs {
			if b.suites[dir] != nil || !exists(dir) {
				continue
			}
			args := []string{"-test.skip", o.skip}
			if o.model > 0 {
				args = []string{"-test.skip", "TestModel", fmt.Sprintf("-model.seeds=%d", o.model), "-model.keep=1"}
			}
			s, err := b.build(context.Background(), dir, into, args)
			if err != nil {
				return err
			}
			if b.suites[dir] = s; o.check {
				continue
			}
			if err := s.measure(); err != nil && o.model == 0 { // a short campaign misses situations
				return err
			}
			fmt.Printf("%s: the tests take %v of the processor\n", dir, s.cpu.Round(100*time.Millisecond))
		}
	}
	return nil
}

// campaign tries the chosen mutations.
func (o *order) campaign(b *bench, all []mutation, chosen []int) error {
	var bad, survivors []string
	began := time.Now()
	for _, n := range chosen {
		m := all[n-1]
		if o.model > 0 {
			m.packages = []string{"internal/model"}
		}
		w, detail, ok := b.try(n, m)
		result := "survived"
		switch {
		case ok:
			result, b.known[m.name] = "noticed", w
			if m.reason != "" {
				bad = append(bad, m.name)
				detail = "but mutations.txt gives a reason why it should not be: " + m.reason
			}
		case m.reason != "":
			survivors, detail = append(survivors, m.name), "known: "+m.reason
		default:
			survivors, bad = append(survivors, m.name), append(bad, m.name)
		}
		fmt.Printf("%-8s %s %s: %s\n", result, m.item, m.function, m.name)
		if ok {
			fmt.Printf("         %s %s\n", w.dir, w.test)
		}
		if detail != "" {
			fmt.Printf("         %.200s\n", detail)
		}
		if !ok {
			delete(b.known, m.name)
		}
		if o.record { // at once: the run may be cut short
			if err := os.WriteFile(o.noticed, []byte(b.known.text(all)), 0o644); err != nil {
				return err
			}
		}
	}
	fmt.Printf("%d mutations, %d noticed, %d survived, in %v\n", len(chosen), len(chosen)-len(survivors), len(survivors), time.Since(began).Round(time.Second))
	if len(bad) > 0 {
		slices.Sort(bad)
		return fmt.Errorf("to look at:\n  %s", strings.Join(bad, "\n  "))
	}
	return nil
}
