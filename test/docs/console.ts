import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A block of a page, with the words between it and the one before. */
export interface Block {
  /** What stands behind the three ticks. */
  readonly kind: string
  readonly code: string
  readonly before: string
}

/** The blocks below a heading of a page, in their order, up to the next heading. */
export function blocksBelow(page: string, heading: string): Block[] {
  const lines = readFileSync(page, 'utf8').split('\n')
  const start = lines.indexOf(heading)
  if (start < 0) throw new Error(`${page} has no '${heading}'`)
  const blocks: Block[] = []
  let before: string[] = []
  for (let i = start + 1; i < lines.length && !lines[i]!.startsWith('#'); i++) {
    const [, kind] = /^```(.+)$/.exec(lines[i]!) ?? []
    if (kind === undefined) {
      before.push(lines[i]!)
      continue
    }
    const end = lines.indexOf('```', i)
    blocks.push({ kind, code: `${lines.slice(i + 1, end).join('\n')}\n`, before: before.join('\n') })
    before = []
    i = end
  }
  return blocks
}

/** The commands of a block in which a `$` stands before each. */
export function commandsOf(code: string): string[] {
  return [...code.matchAll(/^\$ (.*)$/gm)].map(([, command]) => command!)
}

/** What a terminal shows of commands typed into it one after the other: each, and below it what it prints on either stream. */
export async function typed(commands: readonly string[], cwd: string, env: NodeJS.ProcessEnv): Promise<string> {
  // Every answer ends its line, and the status of a command is there for the next one to ask for.
  const script = commands.map((command) => {
    const shown = `printf '%s\\n' '$ ${command.replaceAll("'", "'\\''")}'`
    return `${shown}; (exit $status)\nanswer=$(${command} 2>&1); status=$?\n[ -z "$answer" ] || printf '%s\\n' "$answer"`
  })
  const { stdout } = await run('sh', ['-c', `status=0\n${script.join('\n')}`], { cwd, env, timeout: 50_000 })
  return stdout
}
