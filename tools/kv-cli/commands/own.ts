import type { Command } from 'commander'
import { command, type GlobalOptions, withJson } from '../command.js'
import { Failure, usage } from '../failure.js'
import type { Host } from '../host.js'
import { pathOf } from '../store.js'
import { out } from '../terminal.js'

interface OwnOptions extends GlobalOptions {
  readonly json?: boolean
}

/** What is about this program and this machine. */
export function commands(host: Host): Command[] {
  return [shell(host), completion(host), doctor(), version()]
}

function shell(host: Host): Command {
  const made = command(
    'shell',
    'a prompt for all commands on one open store, with history and completion',
    'kv-cli shell',
    'kv-cli shell --read-only',
  )
  return made.action(async (_: unknown, self: Command) => {
    const { runShell } = await import('../shell/shell.js')
    await runShell(self.optsWithGlobals<OwnOptions>(), host)
  })
}

function completion(host: Host): Command {
  const made = command(
    'completion <shell>',
    'print what makes bash, zsh or fish complete commands and options',
    'source <(kv-cli completion bash)',
    'kv-cli completion fish > ~/.config/fish/completions/kv-cli.fish',
  )
  return made.action(async (name: string) => {
    const { completionScript, SHELLS } = await import('../completion/script.js')
    if (!SHELLS.includes(name)) throw usage(`There is no completion for '${name}'; choose ${SHELLS.join(', ')}`)
    out.write(Buffer.from(completionScript(name, await host.whole())))
  })
}

function doctor(): Command {
  const made = command(
    'doctor',
    'look at Node, the disk, limits and leftovers; exits 1 if something stands in the way',
    'kv-cli doctor --db ./data',
  )
  return withJson(made).action(async (_: unknown, self: Command) => {
    const options = self.optsWithGlobals<OwnOptions>()
    const { examine } = await import('../doctor/examine.js')
    let bad = 0
    for await (const { topic, verdict, text } of examine(pathOf(options))) {
      if (verdict === 'bad') bad++
      if (options.json) out.json({ topic, verdict, text })
      else out.line(`${verdict.padEnd(5)}${topic.padEnd(11)}${text}`)
      await out.flush()
    }
    if (bad > 0)
      throw new Failure(`${bad === 1 ? 'One thing stands' : `${bad} things stand`} in the way, marked bad above`)
  })
}

function version(): Command {
  const made = command('version', 'the version of Siltstone, and what it runs on', 'kv-cli version')
  return withJson(made).action(async (_: unknown, self: Command) => {
    const { packageVersion } = await import('../package-version.js')
    const { platform, arch, version: node } = process
    if (self.optsWithGlobals<OwnOptions>().json) {
      out.json({ siltstone: packageVersion(), node: node.slice(1), platform, arch })
    } else out.line(`siltstone ${packageVersion()}, Node ${node.slice(1)}, ${platform} ${arch}`)
  })
}
