import { SiltstoneError } from '../../bytes/errors.js'
import type { AuditFinding } from '../../table/table-audit.js'
import { Turn } from '../turn.js'

/** What `db.verify()` found. */
export interface VerifyReport {
  /** Whether nothing was found. */
  readonly ok: boolean
  /** How many files were read. */
  readonly checked: number
  /** What is wrong, with the path of the file and, where it has one, the offset of the place. */
  readonly findings: readonly AuditFinding[]
}

/** A verification under way: what it has found, and how it lets others run in between. */
export class Verification {
  checked = 0
  readonly findings: AuditFinding[] = []
  private readonly turn = new Turn()
  private readonly checkOpen: () => void

  /** `checkOpen` throws when there is no use in going on. */
  constructor(checkOpen: () => void = () => {}) {
    this.checkOpen = checkOpen
  }

  add(file: string, problem: string, offset?: number): void {
    this.findings.push({ file, problem, ...(offset === undefined ? {} : { offset }) })
  }

  /** Does something with a file; a refusal is a finding about that file, unless it names another. */
  attempt<T>(file: string, act: () => T): T | undefined {
    try {
      return act()
    } catch (error) {
      this.addError(file, error)
      return undefined
    }
  }

  /** Only what the store itself says counts: anything else is a bug, and no property of a file. */
  addError(file: string, error: unknown): void {
    if (!(error instanceof SiltstoneError)) throw error
    this.add(error.file ?? file, error.message, error.offset)
  }

  /** To be awaited between pieces of work of a millisecond or less. */
  async breathe(): Promise<void> {
    if (!this.turn.isDue()) return
    await this.turn.next()
    this.checkOpen()
  }

  report(): VerifyReport {
    return { ok: this.findings.length === 0, checked: this.checked, findings: this.findings }
  }
}
