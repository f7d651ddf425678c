type Task = () => void;

const tasks = new Set<Task>();
let listening = false;

/**
 * Registers a synchronous task for the end of this process, also by an uncaught error or a signal (but not by SIGKILL).
 * Tasks run in reverse order. Returns a function that removes the task.
 */
export function atExit(task: Task): () => void {
  listen();
  tasks.add(task);
  return () => tasks.delete(task);
}

function listen(): void {
  if (listening) {
    return;
  }
  listening = true;
  process.once('exit', doAll);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, () => {
      // another listener decides how the process ends, and needs our resources until then
      if (process.listenerCount(signal) === 0) {
        doAll();
        process.kill(process.pid, signal);
      }
    });
  }
}

function doAll(): void {
  for (const task of [...tasks].reverse()) {
    tasks.delete(task);
    try {
      task();
    } catch (error) {
      console.error(error);
    }
  }
}
