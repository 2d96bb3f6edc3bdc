//! A thread that does one kind of work, one request at a time, and outlives its panics.
//!
//! The reactor hands requests over a channel and gets answers over another, with a wake-up. The channels have no bound
//! of their own: what may be under way is bounded where it is asked for (see `limits`).

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

/// The reactor's end of a worker. Dropping it ends the worker when it has done what was asked.
#[derive(Debug)]
pub struct Worker<Request> {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl<Request: Send + 'static> Worker<Request> {
    /// Starts a thread that hands each request to `work`, on a state that `make` makes in it. When `work` panics, its
    /// state is made anew and the request is answered with what `failed` makes of it. While `make` panics, so is every
    /// request, and the next one tries it again.
    pub fn start<State, Answer>(
        name: &str,
        make: impl Fn() -> State + Send + 'static,
        work: impl Fn(&mut State, Request, &mut dyn FnMut(Answer)) + Send + 'static,
        failed: impl Fn(&Request) -> Vec<Answer> + Send + 'static,
        mut answer: impl FnMut(Answer) + Send + 'static,
    ) -> io::Result<Self>
    where
        Request: Clone,
        Answer: 'static,
    {
        let (requests, inbox): (Sender<Request>, Receiver<Request>) = channel();
        let title = name.to_owned();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let mut state = None;
            for request in inbox {
                let kept = request.clone();
                let done = catch_unwind(AssertUnwindSafe(|| {
                    work(state.get_or_insert_with(&make), request, &mut answer);
                }));
                if let Err(panic) = done {
                    log::error!(
                        "{title} failed on a request and goes on with the next: {}",
                        message(&*panic)
                    );
                    state = None;
                    failed(&kept).into_iter().for_each(&mut answer);
                }
            }
        })?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    /// Hands a request over; it never waits.
    pub fn send(&self, request: Request) {
        if let Some(requests) = &self.requests {
            // the thread ends only when this end is dropped
            let _ = requests.send(request);
        }
    }

    /// Lets the worker finish what it was asked, and waits for it.
    pub fn finish(mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_fails_its_request_and_no_other() {
        let (send, receive) = channel();
        let worker = Worker::start(
            "test",
            || 0,
            |count: &mut i32, request: i32, answer: &mut dyn FnMut(String)| {
                assert_ne!(request, 2, "two is too much");
                *count += 1;
                answer(format!("{request} done, {count} since the start"));
            },
            |request| vec![format!("{request} failed")],
            move |answer| send.send(answer).unwrap(),
        )
        .unwrap();
        (1..=3).for_each(|n| worker.send(n));
        worker.finish();
        let answers: Vec<String> = receive.iter().collect();
        assert_eq!(answers, ["1 done, 1 since the start", "2 failed", "3 done, 1 since the start"]);
    }

    #[test]
    fn a_state_that_cannot_be_made_fails_requests_until_it_can() {
        let (send, receive) = channel();
        let made = std::sync::atomic::AtomicU32::new(0);
        let worker = Worker::start(
            "test",
            move || {
                let before = made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                assert!(!(1..3).contains(&before), "not this time");
            },
            |(): &mut (), request: i32, answer: &mut dyn FnMut(String)| {
                assert_ne!(request, 1, "one is too much");
                answer(format!("{request} done"));
            },
            |request| vec![format!("{request} failed")],
            move |answer| send.send(answer).unwrap(),
        )
        .unwrap();
        (1..=5).for_each(|n| worker.send(n));
        worker.finish();
        let answers: Vec<String> = receive.iter().collect();
        assert_eq!(answers, ["1 failed", "2 failed", "3 failed", "4 done", "5 done"]);
    }
}
