// Package runtime runs a Lambda function as worker processes on this machine, unchanged, in whatever language: it serves
// Lambda's Runtime API, which every runtime interface client speaks.
//
//	pool, err := runtime.New(runtime.Config{
//		FunctionName: "orders",
//		Command:      []string{"python3", "-m", "awslambdaric", "app.handler"},
//		Dir:          "./orders",
//		Timeout:      30 * time.Second,
//	})
//	…
//	defer pool.Stop(context.Background())
//	if err := pool.Start(ctx); err != nil { // the cold start
//		return err
//	}
//	return esm.Run(ctx, mapping, pool.Handle, esm.WithHooks(pool.Hooks()))
//
// Node: {"node", "node_modules/aws-lambda-ric/index.mjs", "app.handler"}. Go: the program that calls lambda.Start. Other
// languages: whatever starts a program that speaks the Runtime API.
//
// # Workers
//
// A worker has one invocation at a time, so there are as many workers as invocations at a time; they are started when they
// are needed and ended when they have had nothing to do for a while: WithWorkerRange, WithIdleTimeout, Pool.Hooks. One that
// does not answer within Timeout is killed and replaced, and the batch has failed (Sandbox.Timedout); so it is when it ends
// by itself (Runtime.ExitError). Workers that fail to start are tried again after growing pauses, up to a minute; Status
// says so. An invocation that waits for them meanwhile, while no other worker lives, has failed when the next one fails, as
// on Lambda.
//
// What a worker writes goes to the log, line by line, with the function's name and the request id.
//
// # What a worker gets
//
// Its environment is what Lambda sets and Config.Environment; of the host's it has PATH, LANG, TZ and TMPDIR. It runs as the
// same user and sees the same files: this is no sandbox. The extensions API is not served, response streaming is refused.
//
// Its Runtime API is a port of its own on 127.0.0.1. The port refuses requests with another Host or with an Origin, which a
// web page could send, and on Linux all that do not come from the worker's process group.
//
// # The end
//
// Stop sends SIGTERM to each worker's process group, and SIGKILL after WithStopTimeout. On Linux the kernel kills the workers
// when this process ends in any other way, kill -9 included. Processes that a worker has started are not covered by that:
// they end with their worker in every other case, unless they left its process group. On other systems an idle worker
// ends when its connection breaks, as interface clients do; one at work ends when it is done. On Windows a worker is killed
// at once, and what it started is not.
package runtime
