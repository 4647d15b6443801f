package scenario

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// App is a program of the user's own that havoq starts with the run and stops at its end. It inherits havoq's environment.
type App struct {
	Name    string   `yaml:"name" doc:"Its name, for crash and restart." required:"name: billing" example:"billing"`
	Command []string `yaml:"command" doc:"The program and its arguments. No shell: write [sh, -c, '…'] where you need one." required:"command: [go, run, ./service]"`
	Dir     string   `yaml:"dir" doc:"Where it is started, seen from the scenario file." default:"."`
	Env     Env      `yaml:"env" doc:"What its environment has besides havoq's own. ${servers}: the addresses of the cluster; ${collect}: where to post what was processed."`
	Ready   *Ready   `yaml:"ready" doc:"How it is told that the program is ready. Missing: it is when it was started."`
}

// Env is variables for a program. The values may contain ${servers} and ${collect}.
type Env map[string]string

// Ready says how it is told that a program is ready.
type Ready struct {
	HTTP   string   `yaml:"http" doc:"GET this URL until it answers with 200." required:"http: http://127.0.0.1:8080/healthz" example:"http://127.0.0.1:8080/healthz"`
	Within Duration `yaml:"within" doc:"At most so long." default:"60s" min:"100ms" max:"10m"`
}

// maxApps bounds how many programs havoq starts.
const maxApps = 16

// IsExternal reports whether the load is the user's own application.
func (w Workload) IsExternal() bool { return w.External != nil }

// App returns the program of this name.
func (w Workload) App(name string) (App, bool) {
	for _, a := range w.External {
		if a.Name == name {
			return a, true
		}
	}
	return App{}, false
}

func (w Workload) apps() []string {
	var names []string
	for _, a := range w.External {
		names = append(names, a.Name)
	}
	return names
}

// word reads "workload: external".
func (w *Workload) word(r *reader, n *node, path string) {
	if n.text != "external" {
		r.fail(n, path, "unknown word %q%s", n.text, remedy(n.text, []string{"external"}))
		return
	}
	w.External = []App{}
}

func (w *Workload) check(r *reader, n *node, path string) {
	list := n.get("external")
	if list == nil || !w.IsExternal() {
		return
	}
	for _, e := range n.entries {
		if e.key != "external" {
			if _, known := fieldOf(reflect.TypeFor[Workload](), e.key); known {
				r.failAt(e.at, "%s: is of havoq's own load, and this one is your application's: remove it", joined(path, e.key))
			}
		}
	}
	*w = Workload{External: w.External}
	switch {
	case len(w.External) == 0:
		r.fail(list, joined(path, "external"), "an empty list: name a program, or write workload: external if your application runs by itself")
	case len(w.External) > maxApps:
		r.fail(list, joined(path, "external"), "%d programs: at most %d", len(w.External), maxApps)
	}
	for i, a := range w.External {
		if slices.ContainsFunc(w.External[:i], func(b App) bool { return a.Name != "" && a.Name == b.Name }) {
			r.fail(list.items[i], indexed(joined(path, "external"), i), "two programs of the name %q: rename one", a.Name)
		}
	}
}

func (a *App) check(r *reader, n *node, path string) {
	if name := n.get("name"); name != nil && name.kind == text {
		_, node := numbered(a.Name, "n")
		_, consumer := numbered(a.Name, "consumer-")
		switch {
		case !isName(a.Name):
			r.fail(name, joined(path, "name"), "%q cannot name a program: small letters, digits and dashes", a.Name)
		case node || consumer || slices.Contains([]string{"all", "each", "leader", "follower", "consumers", "havoq"}, a.Name):
			r.fail(name, joined(path, "name"), "%q means something else to havoq: choose another name", a.Name)
		}
	}
	if command := n.get("command"); command != nil && command.kind == sequence && (len(a.Command) == 0 || a.Command[0] == "") {
		r.fail(command, joined(path, "command"), "an empty command: name a program, as in [go, run, ./service]")
	}
	if command := n.get("command"); command != nil {
		r.checkSecretArgs(command, joined(path, "command"), a.Command)
	}
	if dir := n.get("dir"); dir != nil && a.Dir == "" {
		r.fail(dir, joined(path, "dir"), `empty: write ".", or leave it out`)
	}
}

// Variables that an Env may use.
func variables() []string { return []string{"servers", "collect"} }

func envName() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) }

// envUse finds ${name}, closed or not.
func envUse() *regexp.Regexp { return regexp.MustCompile(`\$\{([^}]*)\}?`) }

func (e *Env) read(r *reader, n *node, path string) {
	if n.kind != mapping {
		r.fail(n, path, `expected names and values, as in { NATS_URL: "${servers}" }, found %s`, n.kind)
		return
	}
	*e = Env{}
	for _, en := range n.entries {
		at := joined(path, en.key)
		switch {
		case !envName().MatchString(en.key):
			r.failAt(en.at, "%s: %q cannot name a variable: letters, digits and _", path, en.key)
		case secretName().MatchString(en.key):
			r.failAt(en.at, "%s: %s: remove it, and give it to havoq itself (%s=… havoq run); your program inherits it", at, inEveryRun, en.key)
		case en.value.kind == other:
			r.fail(en.value, at, "%s is a number or boolean: quote it, %q", en.value.text, en.value.text)
		case en.value.kind != text:
			r.fail(en.value, at, "expected a text, found %s", en.value.kind)
		default:
			r.checkUses(en.value, at)
			r.checkSecretText(en.value, at, en.value.text)
			(*e)[en.key] = en.value.text
		}
	}
}

// checkUses sees that each ${name} is one that there is.
func (r *reader) checkUses(n *node, path string) {
	for _, use := range envUse().FindAllStringSubmatchIndex(n.text, -1) {
		name := n.text[use[2]:use[3]]
		switch {
		case !strings.HasSuffix(n.text[use[0]:use[1]], "}"):
			r.failAt(n.letter(use[0]), "%s: ${ is not closed", path)
		case !slices.Contains(variables(), name):
			r.failAt(n.letter(use[0]), "%s: unknown variable ${%s}%s", path, name, remedy(name, variables()))
		case name == "collect":
			r.later(func(s *Scenario) {
				if s.Observe == nil || s.Observe.Collect == nil {
					r.failAt(n.letter(use[0]), "%s: ${collect} needs a collector: write observe: { collect: {} }", path)
				}
			})
		}
	}
}

// Expand puts values into a text of an Env: what is in values under "servers" for ${servers}.
func Expand(in string, values map[string]string) string {
	return envUse().ReplaceAllStringFunc(in, func(use string) string {
		if value, ok := values[strings.Trim(use, "${}")]; ok {
			return value
		}
		return use
	})
}

func (c *Ready) check(r *reader, n *node, path string) {
	if at := n.get("http"); at != nil && at.kind == text {
		r.checkWebAddress(at, joined(path, "http"), c.HTTP)
	}
}

// checkApp judges what crash or restart is done to, in a scenario with the user's own application.
func (r *reader) checkApp(s *Scenario, n *node, path string) {
	names := s.Workload.apps()
	switch _, ok := s.Workload.App(n.text); {
	case ok:
	case len(names) == 0:
		r.fail(n, path, "havoq did not start your application, and has no hands on it: list it as workload: { external: [ … ] }")
	default:
		r.fail(n, path, "unknown program %q%s", n.text, remedy(n.text, names))
	}
}
