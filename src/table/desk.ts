import { isOutOfMemory } from '../bytes/errors.js'
import { Workspace } from '../bytes/workspace.js'

const CAPACITY = 32 * 1024

let made: Workspace | undefined
/** It is not asked for again: that takes long, and every block can be read without it. */
let isMissing = false

/**
 * Where WebAssembly works on what was copied there from anywhere; what it makes is copied away at once. `undefined` where there is no memory
 * for it, as where the address space is limited.
 */
export function desk(): Workspace | undefined {
  if (made !== undefined || isMissing) return made
  try {
    made = new Workspace(CAPACITY)
  } catch (error) {
    if (!isOutOfMemory(error)) throw error
    isMissing = true
  }
  return made
}
