import type { Database, Keyspace, OpenOptions } from '../../../src/index.js'

export interface Recipe {
  readonly title: string
  readonly ingredients?: readonly string[]
  readonly text?: string
  readonly tags?: readonly string[]
}

export interface Cookbook {
  readonly db: Database
  readonly index: object
  readonly indexer: Keyspace<string, number>
  save(id: string, recipe: Recipe): Promise<void>
  remove(id: string): Promise<void>
  search(text: string, options?: { tag?: string; page?: number; size?: number }): Promise<(Recipe & { id: string })[]>
  complete(start: string): Promise<string[]>
  update(): Promise<void>
  close(): Promise<void>
}

export function openCookbook(directory: string, options?: OpenOptions): Promise<Cookbook>
