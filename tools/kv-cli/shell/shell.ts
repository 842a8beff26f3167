import { createInterface } from 'node:readline'
import type { GlobalOptions } from '../command.js'
import { Failure } from '../failure.js'
import type { Host } from '../host.js'
import { openStore, pathOf, share } from '../store.js'
import { out, remark } from '../terminal.js'
import { completer } from './complete.js'
import { History } from './history.js'
import { split } from './split.js'

const PROMPT = 'kv> '
const MORE_PROMPT = '..> '
const GOODBYES = ['exit', 'quit', '.exit']
const UNFIT = ['shell', 'watch', 'destroy', 'repair', 'restore']

/**
 * Reads commands, as on the command line without `kv-cli` in front, and runs them on one open store. Where another process writes,
 * it reads. JSON may go over several lines.
 */
export async function runShell(options: GlobalOptions, host: Host): Promise<void> {
  const { store, isReadOnly } = await openFor(options)
  share(store)
  const isInteractive = process.stdin.isTTY === true && process.stdout.isTTY === true
  const history = new History()
  const complete = completer(store, await host.whole())
  const prompt = createInterface({
    input: process.stdin,
    output: process.stdout,
    terminal: isInteractive,
    prompt: isInteractive ? PROMPT : '',
    history: isInteractive ? history.read() : [],
    completer: complete,
  })
  if (isInteractive) {
    const how = isReadOnly ? ' (read only)' : ''
    out.line(`${pathOf(options)}${how}. 'help' lists the commands, Tab completes, Ctrl-D leaves.`)
    await out.flush()
  }
  let failed = false
  let typed = ''
  prompt.on('SIGINT', () => {
    typed = ''
    process.stdout.write('\n')
    prompt.setPrompt(PROMPT)
    prompt.prompt()
  })
  try {
    prompt.prompt()
    for await (const line of prompt) {
      typed = typed === '' ? line : `${typed}\n${line}`
      const parts = split(typed)
      if ('incomplete' in parts) {
        if (isInteractive) prompt.setPrompt(MORE_PROMPT)
        prompt.prompt()
        continue
      }
      const [first] = parts.words
      if (isInteractive && first !== undefined) history.add(typed)
      typed = ''
      if (first !== undefined && GOODBYES.includes(first)) break
      if (first !== undefined && (await runLine(parts.words, options, host)) !== 0) failed = true
      if (isInteractive) prompt.setPrompt(PROMPT)
      prompt.prompt()
    }
    if (typed !== '') remark('kv-cli: the last line ends inside of quotes or JSON, so it was not run')
  } finally {
    prompt.close()
    share(undefined)
    await store.close()
    if (isInteractive) process.stdout.write('\n')
  }
  // For a person each error was told when it came; a script that was piped in wants to know.
  if (!isInteractive && (failed || typed !== '')) throw new Failure('Not every line of the input went well; see above')
}

async function openFor(
  options: GlobalOptions,
): Promise<{ store: Awaited<ReturnType<typeof openStore>>; isReadOnly: boolean }> {
  if (options.readOnly) return { store: await openStore(options, { readOnly: true }, 'messages'), isReadOnly: true }
  return { store: await openStore(options, { createIfMissing: true }, 'messages'), isReadOnly: false }
}

async function runLine(words: readonly string[], options: GlobalOptions, host: Host): Promise<number> {
  const [name] = words
  if (UNFIT.includes(name!)) {
    remark(`kv-cli: ${name} does not work inside of the shell; run 'kv-cli ${name}' beside it`)
    return 2
  }
  const withManners = [...words, ...(options.readOnly ? ['--read-only'] : []), ...(options.debug ? ['--debug'] : [])]
  const code = await host.run(name === 'help' ? (words.length > 1 ? [...words.slice(1), '--help'] : []) : withManners)
  if (process.stdout.isTTY) await out.flush()
  return code
}
