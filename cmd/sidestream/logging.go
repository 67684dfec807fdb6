package main

import (
	"fmt"
	"io"
	stdlog "log"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
	"github.com/spf13/pflag"
)

// logging is how a command logs: to standard error, as JSON, or readable for
// people if that is a terminal.
type logging struct {
	level  string
	format string
}

func (l *logging) flags(f *pflag.FlagSet) {
	f.StringVar(&l.level, "log-level", "info", "least severe level to log: trace, debug, info, warn, error")
	f.StringVar(&l.format, "log-format", "auto", "json, console, or auto: console on a terminal")
}

func (l *logging) logger(stderr io.Writer) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(l.level)
	if err != nil || level == zerolog.NoLevel {
		return zerolog.Nop(), fmt.Errorf("--log-level: %q is not one of trace, debug, info, warn, error", l.level)
	}
	switch l.format {
	case "json":
	case "console":
		stderr = console(stderr)
	case "auto":
		if f, ok := stderr.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
			stderr = console(stderr)
		}
	default:
		return zerolog.Nop(), fmt.Errorf("--log-format: %q is not one of json, console, auto", l.format)
	}
	logger := zerolog.New(stderr).Level(level).With().Timestamp().Logger()
	// The standard library's transports complain there, of upstreams.
	stdlog.SetFlags(0)
	stdlog.SetOutput(standard{logger})
	return logger, nil
}

// standard takes what the standard library logs, at debug. A transport quotes
// there what an upstream sends without being asked.
type standard struct{ log zerolog.Logger }

func (s standard) Write(line []byte) (int, error) {
	text, _, _ := strings.Cut(strings.TrimSpace(string(line)), " starting with ")
	s.log.Debug().Msg(text)
	return len(line), nil
}

func console(w io.Writer) io.Writer {
	return zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly}
}
