type Task = () => void;

const tasks = new Set<Task>();
let listening = false;

/**
 * Has a synchronous task done when this process ends, also by an uncaught error or a signal (but not by SIGKILL).
 * The last task comes first. Returns what takes it back.
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
      // whoever else listens decides how to end, and needs what we would take away until then
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
