package gameday

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/result"
)

// makeFolder makes a new folder for a run, named after the scenario and the time, and proves that it can be written to.
func makeFolder(out, name string) (string, error) {
	if err := os.MkdirAll(cmp.Or(out, "."), 0o755); err != nil {
		return "", fmt.Errorf("make the run folder in %s: %w; choose another place with --out", out, err)
	}
	base := filepath.Join(out, name+"-"+time.Now().Format("20060102-150405"))
	for i := range 100 {
		dir := base
		if i > 0 {
			dir = fmt.Sprintf("%s-%d", base, i+1)
		}
		err := os.Mkdir(dir, 0o755)
		if os.IsExist(err) {
			continue
		}
		if err == nil {
			err = writable(dir)
		}
		if err != nil {
			return "", fmt.Errorf("make the run folder %s: %w; free space or choose another place with --out", dir, err)
		}
		return dir, nil
	}
	return "", fmt.Errorf("make the run folder %s: a hundred of that name are there; choose another place with --out", base)
}

// writable proves early that the folder takes files: a run that cannot keep its evidence must not start.
func writable(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return err
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close(), os.Remove(f.Name()))
}

// openLog opens havoq.log, unless the caller has a log of his own.
func (r *run) openLog() (err error) {
	if r.log = r.cfg.Logger; r.log != nil {
		return nil
	}
	r.logFile, err = os.Create(filepath.Join(r.dir, result.LogFile))
	if err != nil {
		return fmt.Errorf("open the run's log: %w", err)
	}
	r.log = slog.New(slog.NewTextHandler(r.logFile, nil))
	return nil
}

func (r *run) closeLog() {
	if r.logFile != nil {
		_ = r.logFile.Close() // a log is no evidence
	}
}

// writeInfo keeps what is known of a run before it starts: even one that is killed can be judged.
func (r *run) writeInfo() error {
	s := r.cfg.Scenario
	if err := os.WriteFile(filepath.Join(r.dir, result.ScenarioFile), r.source(), 0o644); err != nil {
		return fmt.Errorf("keep the scenario in the run folder: %w", err)
	}
	environment := r.cfg.Environment
	environment.Set = r.set() // Verify reads the scenario with them
	if s.Target.URL != "" {
		environment.Target = withoutSecrets(s.Target.URL)
	}
	return result.WriteRunInfo(r.dir, result.RunInfo{
		Name: filepath.Base(r.dir), Scenario: s.Name, Seed: r.seed, Started: r.history.Start(),
		Roles: r.roles(), Environment: environment, Again: fmt.Sprintf("%s --seed %d", redact(r.cfg.Again), r.seed),
	})
}

// source and set are the scenario and its changes as the folder keeps them.
func (r *run) source() []byte { return []byte(redact(string(r.cfg.Scenario.Source))) }

func (r *run) set() map[string]string {
	set := map[string]string{}
	for key, value := range r.cfg.Scenario.Set {
		set[key] = redact(value)
	}
	return set
}

// redact takes the user and the password out of every URL in a text. Nobody who reads a run folder connects anywhere. A single
// quote may be a part of a password; all else that ends the search may not.
func redact(text string) string {
	return regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://)[^/\s"<>]*@`).ReplaceAllString(text, "${1}***@")
}

// roles are the scenario's, with the names that were given for this run.
func (r *run) roles() map[string]string {
	roles := map[string]string{}
	for role, name := range r.cfg.Scenario.Roles {
		if name = cmp.Or(r.cfg.Roles[role], name); name != "" {
			roles[role] = name
		}
	}
	return roles
}
