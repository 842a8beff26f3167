import { type ChildProcess, spawn } from 'node:child_process'

/** A program at a real pseudo-terminal, made by `script`, which every Unix has. */
export class Terminal {
  private readonly child: ChildProcess
  private readonly ended: Promise<void>
  /** Everything that was shown, without the sequences that only move the cursor or colour. */
  shown = ''
  /** Everything that was sent. */
  sent = ''
  private seen = 0
  private wake = (): void => {}

  constructor(command: readonly string[], env: Record<string, string>) {
    const line = command.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')
    const args = process.platform === 'darwin' ? ['-q', '/dev/null', ...command] : ['-qefc', line, '/dev/null']
    const { NO_COLOR: _, ...inherited } = process.env
    this.child = spawn('script', args, { stdio: 'pipe', env: { ...inherited, TERM: 'xterm', ...env } })
    this.child.stdout!.on('data', (chunk: Buffer) => {
      this.sent += chunk.toString()
      // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is told begins with one.
      this.shown += chunk.toString().replace(/\x1b\[[0-9;?]*[A-Za-z]/g, '')
      this.wake()
    })
    this.ended = new Promise((resolve) =>
      this.child.on('close', () => {
        resolve()
        this.wake()
      }),
    )
  }

  type(keys: string): void {
    this.child.stdin!.write(keys)
  }

  /** Waits until something new matches, and returns what was new up to its end. */
  async until(pattern: RegExp): Promise<string> {
    for (;;) {
      const fresh = this.shown.slice(this.seen)
      const match = pattern.exec(fresh)
      if (match !== null) {
        const end = match.index + match[0].length
        this.seen += end
        return fresh.slice(0, end)
      }
      if (this.child.exitCode !== null) throw new Error(`It ended before it showed ${pattern}: ${fresh}`)
      await new Promise<void>((resolve) => (this.wake = resolve))
    }
  }

  async end(): Promise<number | null> {
    await this.ended
    return this.child.exitCode
  }
}
