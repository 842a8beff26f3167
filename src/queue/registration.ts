import type { Change } from './change.js'
import type { Office, OwnerKind } from './office.js'
import type { Rules } from './rules.js'
import { KIND_RULES, stateKey } from './state-keys.js'

/** Name, number and rules of a queue or a subscription, and whether they stand on disk like that. */
export class Registration {
  readonly post: Office
  readonly kind: OwnerKind
  readonly name: string
  readonly number: number
  private current: Rules
  private recorded: boolean
  private given = false

  constructor(post: Office, kind: OwnerKind, name: string, number: number, rules: Rules, recorded: boolean) {
    this.post = post
    this.kind = kind
    this.name = name
    this.number = number
    this.current = rules
    this.recorded = recorded
  }

  get rules(): Rules {
    return this.current
  }

  /** Rules that somebody gives it: they are written down with the next commit. */
  set rules(rules: Rules) {
    this.current = rules
    this.recorded = false
    this.given = true
  }

  /** What takes back the rules that are given from here on. */
  remember(): () => void {
    const { current, recorded, given } = this
    return () => {
      this.current = current
      this.recorded = recorded
      this.given = given
    }
  }

  /** Whether it was given rules that no commit has carried yet: the one that was to was refused. */
  get isBehind(): boolean {
    return this.given && !this.recorded
  }

  get isRecorded(): boolean {
    return this.recorded
  }

  /** Writes name and rules where the disk does not have them. */
  write(change: Change): void {
    if (this.recorded) return
    const { post, kind, name, number } = this
    this.recorded = true
    change.onRefused(() => {
      this.recorded = false
    })
    post.recordName(change, kind, name, number)
    change.record.put(post.state, stateKey(number, KIND_RULES), JSON.stringify(this.current))
  }
}
