import { assert } from '../bytes/errors.js'
import type { FileNumber, Position, TreeId } from '../bytes/units.js'
import type { TableMeta } from './table-meta.js'
import type { TreeOptions } from './tree-options.js'

/** A tree by its number, its name and what is fixed about it. */
export interface TreeRecord {
  readonly id: TreeId
  readonly name: string
  readonly options: TreeOptions
}

/**
 * Numbers promised ahead. File numbers and positions below these may have been used by what a power loss erased, so the
 * next session begins at them; a clean close lowers them to what was really used.
 */
export interface Lease {
  readonly files: FileNumber
  readonly positions: Position
}

/** How a session ended in order: its last segment, and the position where that segment stops. */
export interface CleanEnd {
  readonly segment: FileNumber
  readonly end: Position
}

/** What a copy is a copy of: the store with that number, with everything before the position and nothing else. */
export interface Origin {
  readonly storeId: number
  readonly position: Position
}

/** One step of a store's history; what is left out stays as it is, except `clean`, which any edit takes back. */
export interface ManifestEdit {
  readonly storeId?: number
  readonly add?: readonly TableMeta[]
  readonly drop?: readonly FileNumber[]
  readonly move?: readonly { readonly number: FileNumber; readonly level: number }[]
  /** New trees, and known ones under new options. */
  readonly trees?: readonly TreeRecord[]
  /** Segments with a smaller number are not needed any more. */
  readonly logFrom?: FileNumber
  readonly lease?: Lease
  readonly clean?: CleanEnd
  readonly origin?: Origin
}

/** What all edits up to one of them add up to. */
export class ManifestState {
  /** The number of the newest edit; grows by one with each, over all manifests of a store. */
  edit = 0
  storeId = 0
  readonly tables = new Map<FileNumber, TableMeta>()
  readonly trees = new Map<TreeId, TreeRecord>()
  logFrom: FileNumber = 0
  lease: Lease = { files: 0, positions: 0 }
  clean: CleanEnd | null = null
  /** `null` for a store that began empty. */
  origin: Origin | null = null

  apply(number: number, edit: ManifestEdit): void {
    assert(number > this.edit, `manifest edit ${number} follows edit ${this.edit}`)
    for (const dropped of edit.drop ?? []) {
      assert(this.tables.delete(dropped), `edit ${number} drops table ${dropped}, which is there`)
    }
    for (const { number: moved, level } of edit.move ?? []) {
      const meta = this.tables.get(moved)
      assert(meta !== undefined, `edit ${number} moves table ${moved}, which is there`)
      this.tables.set(moved, { ...meta, level })
    }
    for (const added of edit.add ?? []) {
      assert(!this.tables.has(added.number), `edit ${number} adds table ${added.number} for the first time`)
      this.tables.set(added.number, added)
    }
    for (const tree of edit.trees ?? []) this.trees.set(tree.id, tree)
    this.edit = number
    this.storeId = edit.storeId ?? this.storeId
    this.logFrom = edit.logFrom ?? this.logFrom
    this.lease = edit.lease ?? this.lease
    this.clean = edit.clean ?? null
    this.origin = edit.origin ?? this.origin
  }

  /** The one edit that leads to this state from nothing: how a new manifest begins. */
  asEdit(): ManifestEdit {
    return {
      storeId: this.storeId,
      add: [...this.tables.values()],
      trees: [...this.trees.values()],
      logFrom: this.logFrom,
      lease: this.lease,
      ...(this.clean === null ? {} : { clean: this.clean }),
      ...(this.origin === null ? {} : { origin: this.origin }),
    }
  }
}
