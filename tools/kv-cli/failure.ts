/** How a command ends: what scripts may branch on. Never to change. */
export const EXIT_FINE = 0
/** Not found, a check that failed, or a store that refused. */
export const EXIT_NO = 1
export const EXIT_USAGE = 2
/** Ended by Ctrl-C: 128 and the number of the signal, as shells count. */
export const EXIT_INTERRUPTED = 130

/** An end that needs no stack trace: one sentence that says what happened and what to do. */
export class Failure extends Error {
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT_NO) {
    super(message)
    this.exitCode = exitCode
  }
}

/** What was typed cannot be meant. */
export function usage(message: string): Failure {
  return new Failure(message, EXIT_USAGE)
}
