import type { Command } from 'commander'

/** What a command may ask of the program that it is a part of: the shell runs others, completion lists them. */
export interface Host {
  /** The whole program, with all its commands. */
  whole(): Promise<Command>
  /** Runs one command line and returns its exit code. */
  run(argv: readonly string[]): Promise<number>
}
