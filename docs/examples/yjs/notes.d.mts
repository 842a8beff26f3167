import type { SiltstoneLevel } from '../../../src/level.js'

/** What the tests need of a Yjs document. */
export interface Doc {
  getText(name: string): { insert(index: number, text: string): void; readonly length: number; toString(): string }
}

export interface Notes {
  readonly level: SiltstoneLevel
  open(name: string): Promise<{ doc: Doc; saved(): Promise<void> }>
  names(): Promise<string[]>
  since(name: string, state: Uint8Array): Promise<Uint8Array>
  state(name: string): Promise<Uint8Array>
  keep(name: string, update: Uint8Array): Promise<void>
  close(): Promise<void>
}

export function openNotes(directory: string): Promise<Notes>
export function exchange(name: string, here: Notes, there: Notes): Promise<void>
