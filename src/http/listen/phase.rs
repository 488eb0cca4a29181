//! Where a connection stands: are headers arriving, is a call being answered, or does it rest between two calls?
//!
//! hyper has one timer for the headers and for the rest before them. The two need different ones: headers that come drop
//! by drop are an attack, a connection that rests is a gateway that will call again.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// The headers of a request are due since then: since its first byte, or since the connection was made.
    Arriving(Instant),
    Answering,
    Resting,
}

/// The phase, as the stream, the service and the timer see it.
#[derive(Clone, Debug)]
pub(super) struct Phases(Arc<Mutex<Phase>>);

impl Phases {
    /// Who connects has something to ask.
    pub(super) fn begin() -> Self {
        Self(Arc::new(Mutex::new(Phase::Arriving(Instant::now()))))
    }

    pub(super) fn now(&self) -> Phase {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, phase: Phase) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = phase;
    }

    fn heard(&self) {
        let mut phase = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if *phase == Phase::Resting {
            *phase = Phase::Arriving(Instant::now());
        }
    }
}

/// A stream that notes when the first byte of a request comes in.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) stream: TcpStream,
    pub(super) phases: Phases,
}

impl AsyncRead for Heard {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.phases.heard();
        }
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
