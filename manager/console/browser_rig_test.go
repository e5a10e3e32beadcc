package console_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// browser is a page in a real browser. An error in the browser's console fails the test.
type browser struct {
	t   *testing.T
	ctx context.Context

	mu    sync.Mutex
	said  []string
	ended chan struct{}
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not here: .ci/run browser installs it")
		}
		t.Skip("needs chromium (apt-get install chromium)")
	}
	opts := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(program), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900),
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "disable-dev-shm-usage", "force-color-profile=srgb"} {
		name, value, _ := strings.Cut(flag, "=")
		if value == "" {
			opts = append(opts, chromedp.Flag(name, true))
		} else {
			opts = append(opts, chromedp.Flag(name, value))
		}
	}
	allocated, end := chromedp.NewExecAllocator(context.Background(), opts...)
	limited, expire := context.WithTimeout(allocated, 2*time.Minute)
	ctx, leave := chromedp.NewContext(limited)
	b := &browser{t: t, ctx: ctx, ended: make(chan struct{})}
	b.do(chromedp.Navigate("about:blank")) // starts the browser
	go func() {
		defer close(b.ended)
		for message, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.said = append(b.said, fmt.Sprintf("%+v", message))
			b.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx)
		leave()
		expire()
		end()
		<-b.ended
		for _, said := range b.against() {
			t.Error("the browser says:", said)
		}
	})
	return b
}

// against returns the messages of the browser's console that a page must not cause.
func (b *browser) against() (out []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, said := range b.said {
		for _, bad := range []string{"Content Security Policy", "exception", "htmx:swapError", "htmx:targetError", "htmx:responseError", "htmx:evalDisallowed", "htmx:syntax"} {
			if strings.Contains(said, bad) {
				out = append(out, said)
			}
		}
	}
	return out
}

func (b *browser) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// is evaluates an expression.
func (b *browser) is(expression string) bool {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func (b *browser) text(expression string) string {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// await waits until an expression is true.
func (b *browser) await(expression string) {
	b.t.Helper()
	if err := b.holds(expression); err != nil {
		b.t.Fatalf("waited in vain for %s, %v; the page says\n%s", expression, err, b.text("document.body.innerText"))
	}
}

// holds waits until an expression is true, and returns an error if it does not become true.
func (b *browser) holds(expression string) error {
	deadline, tick := time.After(30*time.Second), time.NewTicker(50*time.Millisecond)
	defer tick.Stop()
	for {
		v, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && v {
			return nil
		}
		select {
		case <-tick.C:
		case <-deadline:
			return errors.Join(errors.New("not within 30 seconds"), err)
		}
	}
}

// click waits for a visible element and clicks it in one step: between two steps, a live page may replace it.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.await("(e => e?.checkVisibility() && !e.disabled && (e.click(), true))(document.querySelector(" + quote(selector) + "))")
}

// write replaces the text of an input by typing.
func (b *browser) write(id, text string) {
	b.t.Helper()
	b.await("document.getElementById(" + quote(id) + ")")
	b.do(chromedp.Evaluate[chromedp.Void]("document.getElementById("+quote(id)+").select()"), chromedp.SendKeys(chromedp.CSS("#"+id), text))
}

func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `\'`) + "'" }

// shot takes screenshots of a page if ESM_SCREENSHOTS names a directory: desktop and phone, light and dark.
func (b *browser) shot(name string) {
	b.t.Helper()
	directory := os.Getenv("ESM_SCREENSHOTS")
	for _, device := range []struct {
		name          string
		width, height int64
	}{{"desktop", 1280, 900}, {"phone", 390, 844}} {
		b.do(chromedp.EmulateViewport(device.width, device.height))
		// Nothing may be wider than the screen, once the charts have adapted to its width.
		const wide = "[...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.scroll, .skip, pre, thead')).map(e => e.outerHTML.slice(0, 120)).join('; ')"
		if err := b.holds(wide + " === ''"); err != nil {
			b.t.Errorf("%s on a %s is wider than the screen: %s", name, device.name, b.text(wide))
		}
		for _, scheme := range []string{"light", "dark"} {
			if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
				b.t.Fatal(err)
			}
			if directory == "" {
				continue
			}
			picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
			if err != nil {
				b.t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(directory, name+"-"+device.name+"-"+scheme+".png"), picture, 0o644); err != nil {
				b.t.Fatal(err)
			}
		}
	}
	b.do(chromedp.EmulateViewport(1280, 900))
}
