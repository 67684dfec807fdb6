// Package secret reads what adapters must not show: passwords, tokens and keys
// that are configured as text or stand in a file, and the files themselves.
//
// A [Value] is an option, a [Reader] gives its text at run time, and a [File]
// is for what is no single text: certificates, or the credentials of a client
// library. ([sidestream/adapters.Secret] is for what can't be in a file.)
//
// # Files
//
// A file is looked at again before each use, and read again if it is another
// one than before: by modification time, size or inode, through symbolic links,
// so that the way in which Kubernetes replaces mounted secrets is seen. A file
// that was modified less than two seconds before it was read may change once
// more without a trace in its times, and is read again the next time. What can
// no longer be read, is empty or too large leaves the last good content in use.
// What never was good is an error.
//
// # What is shown
//
// A Value is masked by fmt and in JSON, and fmt shows nothing of what a Reader
// or a File holds. Errors name the option and the file, never the content.
package secret
