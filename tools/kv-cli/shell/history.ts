import { appendFileSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const KEPT_LINES = 1000

/** What was typed, newest first. A history that cannot be kept is no reason not to work. */
export class History {
  private readonly path: string

  constructor(path = process.env.KV_CLI_HISTORY || join(homedir(), '.kv_cli_history')) {
    this.path = path
  }

  read(): string[] {
    try {
      return readFileSync(this.path, 'utf8').split('\n').filter(Boolean).slice(-KEPT_LINES).reverse()
    } catch {
      return []
    }
  }

  add(line: string): void {
    try {
      appendFileSync(this.path, `${line.replaceAll('\n', ' ')}\n`, { mode: 0o600 })
    } catch {
      // See above.
    }
  }
}
