import type { Database, OpenOptions } from '../../../src/index.js'

export interface Todo {
  readonly number: number
  readonly title: string
  readonly list: string
  readonly done: boolean
  readonly due?: string
  readonly everyDays?: number
}

export interface Todos {
  readonly db: Database
  add(todo: { title: string; list?: string; due?: string; everyDays?: number }): Promise<Todo>
  finish(number: number): Promise<Todo>
  edit(number: number, changes: { title?: string; list?: string; due?: string }): Promise<Todo>
  remove(number: number): Promise<Todo>
  clean(list: string): Promise<number>
  undo(): Promise<string | undefined>
  list(name: string): Promise<Todo[]>
  dueBy(day: string): Promise<Todo[]>
  lists(): Promise<{ name: string; open: number; done: number }[]>
  live(signal?: AbortSignal): AsyncGenerator<{ name: string; todos: Todo[] }[], void>
  close(): Promise<void>
}

export function openTodos(directory: string, options?: OpenOptions): Promise<Todos>
