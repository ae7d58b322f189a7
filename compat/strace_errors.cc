#include "compat/strace_format.h"

namespace zrun::compat {

std::string_view ErrorText(Errno error) {
  switch (error) {
    case Errno::kEPERM:
      return "Operation not permitted";
    case Errno::kENOENT:
      return "No such file or directory";
    case Errno::kESRCH:
      return "No such process";
    case Errno::kEINTR:
      return "Interrupted system call";
    case Errno::kEIO:
      return "Input/output error";
    case Errno::kENXIO:
      return "No such device or address";
    case Errno::kE2BIG:
      return "Argument list too long";
    case Errno::kENOEXEC:
      return "Exec format error";
    case Errno::kEBADF:
      return "Bad file descriptor";
    case Errno::kECHILD:
      return "No child processes";
    case Errno::kEAGAIN:
      return "Resource temporarily unavailable";
    case Errno::kENOMEM:
      return "Cannot allocate memory";
    case Errno::kEACCES:
      return "Permission denied";
    case Errno::kEFAULT:
      return "Bad address";
    case Errno::kENOTBLK:
      return "Block device required";
    case Errno::kEBUSY:
      return "Device or resource busy";
    case Errno::kEEXIST:
      return "File exists";
    case Errno::kEXDEV:
      return "Invalid cross-device link";
    case Errno::kENODEV:
      return "No such device";
    case Errno::kENOTDIR:
      return "Not a directory";
    case Errno::kEISDIR:
      return "Is a directory";
    case Errno::kEINVAL:
      return "Invalid argument";
    case Errno::kENFILE:
      return "Too many open files in system";
    case Errno::kEMFILE:
      return "Too many open files";
    case Errno::kENOTTY:
      return "Inappropriate ioctl for device";
    case Errno::kETXTBSY:
      return "Text file busy";
    case Errno::kEFBIG:
      return "File too large";
    case Errno::kENOSPC:
      return "No space left on device";
    case Errno::kESPIPE:
      return "Illegal seek";
    case Errno::kEROFS:
      return "Read-only file system";
    case Errno::kEMLINK:
      return "Too many links";
    case Errno::kEPIPE:
      return "Broken pipe";
    case Errno::kEDOM:
      return "Numerical argument out of domain";
    case Errno::kERANGE:
      return "Numerical result out of range";
    case Errno::kEDEADLK:
      return "Resource deadlock avoided";
    case Errno::kENAMETOOLONG:
      return "File name too long";
    case Errno::kENOLCK:
      return "No locks available";
    case Errno::kENOSYS:
      return "Function not implemented";
    case Errno::kENOTEMPTY:
      return "Directory not empty";
    case Errno::kELOOP:
      return "Too many levels of symbolic links";
    case Errno::kENOMSG:
      return "No message of desired type";
    case Errno::kEIDRM:
      return "Identifier removed";
    case Errno::kECHRNG:
      return "Channel number out of range";
    case Errno::kEL2NSYNC:
      return "Level 2 not synchronized";
    case Errno::kEL3HLT:
      return "Level 3 halted";
    case Errno::kEL3RST:
      return "Level 3 reset";
    case Errno::kELNRNG:
      return "Link number out of range";
    case Errno::kEUNATCH:
      return "Protocol driver not attached";
    case Errno::kENOCSI:
      return "No CSI structure available";
    case Errno::kEL2HLT:
      return "Level 2 halted";
    case Errno::kEBADE:
      return "Invalid exchange";
    case Errno::kEBADR:
      return "Invalid request descriptor";
    case Errno::kEXFULL:
      return "Exchange full";
    case Errno::kENOANO:
      return "No anode";
    case Errno::kEBADRQC:
      return "Invalid request code";
    case Errno::kEBADSLT:
      return "Invalid slot";
    case Errno::kEBFONT:
      return "Bad font file format";
    case Errno::kENOSTR:
      return "Device not a stream";
    case Errno::kENODATA:
      return "No data available";
    case Errno::kETIME:
      return "Timer expired";
    case Errno::kENOSR:
      return "Out of streams resources";
    case Errno::kENONET:
      return "Machine is not on the network";
    case Errno::kENOPKG:
      return "Package not installed";
    case Errno::kEREMOTE:
      return "Object is remote";
    case Errno::kENOLINK:
      return "Link has been severed";
    case Errno::kEADV:
      return "Advertise error";
    case Errno::kESRMNT:
      return "Srmount error";
    case Errno::kECOMM:
      return "Communication error on send";
    case Errno::kEPROTO:
      return "Protocol error";
    case Errno::kEMULTIHOP:
      return "Multihop attempted";
    case Errno::kEDOTDOT:
      return "RFS specific error";
    case Errno::kEBADMSG:
      return "Bad message";
    case Errno::kEOVERFLOW:
      return "Value too large for defined data type";
    case Errno::kENOTUNIQ:
      return "Name not unique on network";
    case Errno::kEBADFD:
      return "File descriptor in bad state";
    case Errno::kEREMCHG:
      return "Remote address changed";
    case Errno::kELIBACC:
      return "Can not access a needed shared library";
    case Errno::kELIBBAD:
      return "Accessing a corrupted shared library";
    case Errno::kELIBSCN:
      return ".lib section in a.out corrupted";
    case Errno::kELIBMAX:
      return "Attempting to link in too many shared libraries";
    case Errno::kELIBEXEC:
      return "Cannot exec a shared library directly";
    case Errno::kEILSEQ:
      return "Invalid or incomplete multibyte or wide character";
    case Errno::kERESTART:
      return "Interrupted system call should be restarted";
    case Errno::kESTRPIPE:
      return "Streams pipe error";
    case Errno::kEUSERS:
      return "Too many users";
    case Errno::kENOTSOCK:
      return "Socket operation on non-socket";
    case Errno::kEDESTADDRREQ:
      return "Destination address required";
    case Errno::kEMSGSIZE:
      return "Message too long";
    case Errno::kEPROTOTYPE:
      return "Protocol wrong type for socket";
    case Errno::kENOPROTOOPT:
      return "Protocol not available";
    case Errno::kEPROTONOSUPPORT:
      return "Protocol not supported";
    case Errno::kESOCKTNOSUPPORT:
      return "Socket type not supported";
    case Errno::kEOPNOTSUPP:
      return "Operation not supported";
    case Errno::kEPFNOSUPPORT:
      return "Protocol family not supported";
    case Errno::kEAFNOSUPPORT:
      return "Address family not supported by protocol";
    case Errno::kEADDRINUSE:
      return "Address already in use";
    case Errno::kEADDRNOTAVAIL:
      return "Cannot assign requested address";
    case Errno::kENETDOWN:
      return "Network is down";
    case Errno::kENETUNREACH:
      return "Network is unreachable";
    case Errno::kENETRESET:
      return "Network dropped connection on reset";
    case Errno::kECONNABORTED:
      return "Software caused connection abort";
    case Errno::kECONNRESET:
      return "Connection reset by peer";
    case Errno::kENOBUFS:
      return "No buffer space available";
    case Errno::kEISCONN:
      return "Transport endpoint is already connected";
    case Errno::kENOTCONN:
      return "Transport endpoint is not connected";
    case Errno::kESHUTDOWN:
      return "Cannot send after transport endpoint shutdown";
    case Errno::kETOOMANYREFS:
      return "Too many references: cannot splice";
    case Errno::kETIMEDOUT:
      return "Connection timed out";
    case Errno::kECONNREFUSED:
      return "Connection refused";
    case Errno::kEHOSTDOWN:
      return "Host is down";
    case Errno::kEHOSTUNREACH:
      return "No route to host";
    case Errno::kEALREADY:
      return "Operation already in progress";
    case Errno::kEINPROGRESS:
      return "Operation now in progress";
    case Errno::kESTALE:
      return "Stale file handle";
    case Errno::kEUCLEAN:
      return "Structure needs cleaning";
    case Errno::kENOTNAM:
      return "Not a XENIX named type file";
    case Errno::kENAVAIL:
      return "No XENIX semaphores available";
    case Errno::kEISNAM:
      return "Is a named type file";
    case Errno::kEREMOTEIO:
      return "Remote I/O error";
    case Errno::kEDQUOT:
      return "Disk quota exceeded";
    case Errno::kENOMEDIUM:
      return "No medium found";
    case Errno::kEMEDIUMTYPE:
      return "Wrong medium type";
    case Errno::kECANCELED:
      return "Operation canceled";
    case Errno::kENOKEY:
      return "Required key not available";
    case Errno::kEKEYEXPIRED:
      return "Key has expired";
    case Errno::kEKEYREVOKED:
      return "Key has been revoked";
    case Errno::kEKEYREJECTED:
      return "Key was rejected by service";
    case Errno::kEOWNERDEAD:
      return "Owner died";
    case Errno::kENOTRECOVERABLE:
      return "State not recoverable";
    case Errno::kERFKILL:
      return "Operation not possible due to RF-kill";
    case Errno::kEHWPOISON:
      return "Memory page has hardware error";
    default:
      return "Unknown error";
  }
}

}  // namespace zrun::compat
