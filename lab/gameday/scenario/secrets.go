package scenario

import (
	"net/url"
	"regexp"
	"strings"
)

// secretWords are parts of the names of secrets, in a regular expression.
const secretWords = `passw|passphrase|pwd|secret|token|credential|api[_-]?key|private[_-]?key`

// secretName finds the names of variables and parameters whose values must not stand in a file that others read. It refuses more than
// there is to refuse (MONKEY): a name too many costs a line in a shell, one too few a password.
func secretName() *regexp.Regexp {
	return regexp.MustCompile(`(?i)pass|pwd|secret|token|key|credential`)
}

// secretGiven finds a secret that is given by its name, in a value or in a command: password=x, --token x, -db-password x. What is
// read elsewhere is none: password=$PASSWORD, --password-file x.
func secretGiven() *regexp.Regexp {
	const value = `["']?[^\s$"'&;]`
	return regexp.MustCompile(`(?i)(` +
		`(` + secretWords + `|\bpass|[a-z0-9]*_pass|\bpgpass)[a-z0-9]*[ \t]*=[ \t]*` + value + `|` +
		`(^|\s)--?([a-z0-9]+[-_])*(pass|password|passwd|passphrase|pwd|secret|token|credentials?|api[-_]?key|private[-_]?key)(=|\s+)` +
		`["']?[^\s$"'&;-])`)
}

const inEveryRun = "would stand in every run folder"

// checkSecretText refuses a secret in a value, which is not repeated.
func (r *reader) checkSecretText(n *node, path, text string) {
	if secretGiven().MatchString(text) {
		r.fail(n, path, "has a password or a token, which %s: remove it, and give it to havoq itself in a variable (NAME=… havoq run); your "+
			"program inherits it", inEveryRun)
	}
}

// checkSecretArgs refuses a secret in a list of arguments, where its name may stand before it.
func (r *reader) checkSecretArgs(n *node, path string, argv []string) {
	r.checkSecretText(n, path, strings.Join(argv, "\n"))
}

// checkSecretQuery refuses a secret as a parameter of a web address.
func (r *reader) checkSecretQuery(n *node, path, address string) {
	u, err := url.Parse(address)
	if err != nil {
		return
	}
	for key := range u.Query() {
		if secretName().MatchString(key) {
			r.fail(n, path, "%s: %s: write http://user:password@host/path, which havoq leaves out there", key, inEveryRun)
		}
	}
}
