// Mutate breaks the engine in one place after the other and runs the tests: a mutation that no test notices is a claim
// without proof. Run it from the module's root, for an hour or so:
//
//	go run ./internal/mutate                 # all of mutations.txt
//	go run ./internal/mutate -run commit     # those whose name or function has "commit" in it
//
// It changes nothing: the compiler gets the broken file as an overlay. It exits with status 1 where a mutation survives
// that mutations.txt gives no reason for, where a reason is given for one that is noticed, and where the code that a
// mutation names is no longer there.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	list := flag.String("list", "internal/mutate/mutations.txt", "the file of mutations")
	filter := flag.String("run", "", "only mutations with this in their name or function")
	check := flag.Bool("check", false, "only see that every mutation applies and compiles")
	timeout := flag.Duration("timeout", 3*time.Minute, "of the tests of one mutation; taking longer is noticing it")
	flag.Parse()
	if err := run(*list, *filter, *check, *timeout); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(list, filter string, check bool, timeout time.Duration) error {
	text, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	mutations, err := parse(string(text))
	if err != nil {
		return err
	}
	src, err := load(".")
	if err != nil {
		return err
	}
	var bad []string
	noticed, survived := 0, 0
	for _, m := range mutations {
		if !strings.Contains(m.name+" "+m.function, filter) {
			continue
		}
		verdict, detail := try(src, m, check, timeout)
		switch {
		case verdict == "survived" && m.reason != "":
			survived++
			verdict, detail = "survived", "known: "+m.reason
		case verdict == "survived":
			survived++
			bad = append(bad, m.name)
		case verdict == "noticed" && m.reason != "" && !check:
			bad = append(bad, m.name)
			detail = "but mutations.txt gives a reason why it should not be: " + m.reason
		case verdict == "noticed":
			noticed++
		case verdict == "broken":
			bad = append(bad, m.name)
		}
		fmt.Printf("%-9s %-40s %s\n", verdict, m.function, m.name)
		if detail != "" {
			fmt.Printf("          %s\n", strings.ReplaceAll(strings.TrimSpace(detail), "\n", "\n          "))
		}
	}
	fmt.Printf("%d noticed, %d survived\n", noticed, survived)
	if len(bad) > 0 {
		return fmt.Errorf("to look at:\n  %s", strings.Join(bad, "\n  "))
	}
	return nil
}

// try applies one mutation and runs the tests of the packages that it names.
func try(src *source, m mutation, check bool, timeout time.Duration) (verdict, detail string) {
	overlay, end, err := src.overlay(m)
	if err != nil {
		return "broken", err.Error()
	}
	defer end()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	if out, err := command(ctx, "go", "build", "-overlay", overlay, "./...").CombinedOutput(); err != nil {
		return "broken", string(out)
	}
	if check {
		return "applies", ""
	}
	args := append([]string{"test", "-overlay", overlay, "-count=1", "-failfast", "-vet=off"}, m.packages...)
	out, err := command(ctx, "go", args...).CombinedOutput()
	switch {
	case err == nil:
		return "survived", ""
	case ctx.Err() != nil:
		return "noticed", "the tests did not end"
	case strings.Contains(string(out), "[build failed]"):
		return "broken", string(out)
	}
	return "noticed", firstFailure(string(out))
}

func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// firstFailure names the test that noticed.
func firstFailure(out string) string {
	for line := range strings.Lines(out) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "--- FAIL:") || strings.HasPrefix(line, "panic:") {
			return line
		}
	}
	return ""
}
