// Node runs an unchanged Lambda function, app.mjs, behind a mapping. The Kafka broker is in this process; the function
// runs in node worker processes that this process starts.
//
//	go run ./examples/node
//	go run ./examples/node -v     # with the function's output, and the library's log
//
// It needs node and npm. aws-lambda-ric, Lambda's interface client for Node, is installed from npm into the user's
// cache directory, unless -ric names one. npm compiles part of it, which takes some minutes the first time and needs
// cmake, make, g++, python3 and xz; the package does not build on macOS.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/esm-go/esm"
	"github.com/esm-go/esm/examples/internal/shop"
	"github.com/esm-go/esm/function/runtime"
)

//go:embed app.mjs
var app []byte

const requirement = "aws-lambda-ric@4.0.2"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "node:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("node", flag.ContinueOnError)
	ric := flags.String("ric", "", "`path` of aws-lambda-ric's index.mjs; default: it is installed")
	verbose := flags.Bool("v", false, "show the function's output and the library's log")
	if err := flags.Parse(args); err != nil {
		return err
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return fmt.Errorf("%w: this example needs Node 20 or later", err)
	}
	if *ric == "" {
		if *ric, err = install(ctx, out); err != nil {
			return err
		}
	}
	client, err := filepath.Abs(*ric)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "esm-node")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is in the temporary directory
	if err := os.WriteFile(filepath.Join(dir, "app.mjs"), app, 0o600); err != nil {
		return err
	}
	level := slog.LevelError
	if *verbose {
		level = slog.LevelInfo
	}
	pool, err := runtime.New(runtime.Config{FunctionName: "ship-orders", Command: []string{node, client, "app.handler"}, Dir: dir, Timeout: 30 * time.Second},
		runtime.WithLogger(shop.Logger(level)), runtime.WithInitTimeout(time.Minute))
	if err != nil {
		return err
	}
	defer pool.Stop(context.WithoutCancel(ctx))
	return shop.Run(ctx, out, pool, shop.Logger(level), esm.WithHooks(pool.Hooks()))
}

// tools are needed to compile the C++ part of aws-lambda-ric when npm installs it.
var tools = []string{"npm", "cmake", "make", "g++", "python3", "xz"}

// install returns the start file of aws-lambda-ric. It installs the package if needed.
func install(ctx context.Context, out io.Writer) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "esm-examples", "node")
	client := filepath.Join(dir, "node_modules", "aws-lambda-ric")
	// The compiled file comes last: an interrupted install does not have it.
	compiled, index := filepath.Join(client, "rapid-client.node"), filepath.Join(client, "index.mjs")
	if _, err := os.Stat(compiled); err == nil {
		return index, nil
	}
	const otherwise = "or install " + requirement + " yourself, and name its index.mjs with -ric"
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			return "", fmt.Errorf("%w: npm compiles aws-lambda-ric when it installs it (Debian: apt-get install npm cmake make g++ python3 xz-utils); %s", err, otherwise)
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	_, _ = fmt.Fprintf(out, "installing %s from npm into %s: once, and it takes some minutes, as its C++ is compiled\n", requirement, dir)
	cmd := exec.CommandContext(ctx, "npm", "install", "--no-save", "--no-audit", "--no-fund", requirement)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	if err == nil {
		_, err = os.Stat(compiled)
	}
	if err != nil {
		return "", fmt.Errorf("%v: %w\n%s\nmissing: %s, with its C++ compiled; fix what npm reports (its install scripts have to be allowed), %s", cmd.Args, err, text, requirement, otherwise)
	}
	return index, nil
}
