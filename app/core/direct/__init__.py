"""Writing to the connection itself under uvicorn.

ASGI costs a task per open response, and an awaited call per message. Where many clients get the same
bytes, that is most of what delivery costs. So uvicorn's protocols are extended here, in this one place:

* A streamed HTTP response may be taken over. Its head is sent the ASGI way; then the transport gets a
  protocol of ours, the request's task ends, and all that HTTP kept for it is let go.
* A WebSocket lends its transport. It stays uvicorn's in everything else.
* A WebSocket may have its messages handed over as they arrive, without a queue, a task and a pause for each.
  Whatever is not a whole message in one frame is still read by uvicorn, which sees whole frames only.

All are offered in the ASGI scope under `extensions`. Where they are not (another server, HTTP/1.0, TLS, a
test's transport) there is `ASGISink` instead, and ASGI's own `receive`.
"""

from app.core.direct.guard import protocols
from app.core.direct.receiving import DirectReceiver
from app.core.direct.sockets import DirectSocket, LendingSocketProtocol, borrow, receive_directly
from app.core.direct.streams import DirectStream, StreamingProtocol, as_chunk, take_over

__all__ = [
    "DirectReceiver",
    "DirectSocket",
    "DirectStream",
    "LendingSocketProtocol",
    "StreamingProtocol",
    "as_chunk",
    "borrow",
    "protocols",
    "receive_directly",
    "take_over",
]
